/** Of this package; control planes see it as the node's user agent. A test holds it equal to package.json. */
export const SDK_VERSION = '0.1.0';
