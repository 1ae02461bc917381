import { SECRET_TYPE } from '../translate/resource-types.ts';

/** Of a Secret a page shows that it is there, and in which version: a private key is for its owner alone. */
export const isShown = (typeUrl: string): boolean => typeUrl !== SECRET_TYPE;
