/**
 * The one deep import of undici: its entry point loads three times as much (fetch, WebSocket, caches, …).
 * http1-client.ts says what it expects there, and its test holds undici to it.
 */
declare module 'undici/lib/dispatcher/client.js';
