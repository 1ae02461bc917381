/** @peculiar/x509 names the browser's global types; Node has the same ones in a namespace of node:crypto. */
import type { webcrypto } from 'node:crypto';

declare global {
  type BufferSource = webcrypto.BufferSource;
  type KeyUsage = webcrypto.KeyUsage;
  type AlgorithmIdentifier = webcrypto.AlgorithmIdentifier;
  interface Algorithm extends webcrypto.Algorithm {}
  interface Crypto extends webcrypto.Crypto {}
  interface CryptoKey extends webcrypto.CryptoKey {}
  interface CryptoKeyPair extends webcrypto.CryptoKeyPair {}
  interface EcKeyGenParams extends webcrypto.EcKeyGenParams {}
  interface EcKeyImportParams extends webcrypto.EcKeyImportParams {}
  interface EcdsaParams extends webcrypto.EcdsaParams {}
  interface RsaHashedImportParams extends webcrypto.RsaHashedImportParams {}
}
