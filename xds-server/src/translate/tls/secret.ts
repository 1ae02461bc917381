import { create } from '@bufbuild/protobuf';
import { type Secret, SecretSchema } from '@inmesh/sdk/internal/gen/tls';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { credentialOf, rootsOf } from './credentials.ts';
import { meshRoots } from './mesh-roots.ts';
import { ROOTS } from './mesh-tls.ts';
import { secretRef } from './secret-name.ts';

/**
 * A certificate with its key, or roots, by the name that clusters and listeners give it; undefined = there is none. Secrets
 * are those of the asking client's own namespace.
 */
export const secret = (world: World, view: View, name: string): Secret | undefined => {
  if (name === ROOTS) {
    const roots = meshRoots(world);
    return roots && create(SecretSchema, { name, type: { case: 'validationContext', value: roots } });
  }
  const ref = secretRef(name, view.namespace);
  const [found] = ref?.names.flatMap((one) => world.secret(view.namespace, one) ?? []) ?? [];
  if (ref === undefined || found === undefined) return undefined;
  return ref.part === 'certificate' ? certificate(name, credentialOf(found)) : validation(name, rootsOf(found));
};

const certificate = (name: string, credential: ReturnType<typeof credentialOf>): Secret | undefined =>
  credential &&
  create(SecretSchema, {
    name,
    type: {
      case: 'tlsCertificate',
      value: { certificateChain: inline(credential.chain), privateKey: inline(credential.key) },
    },
  });

const validation = (name: string, roots: ReturnType<typeof rootsOf>): Secret | undefined =>
  roots &&
  create(SecretSchema, {
    name,
    type: {
      case: 'validationContext',
      value: { trustedCa: inline(roots.pem), ...(roots.crl !== undefined && { crl: inline(roots.crl) }) },
    },
  });

const inline = (value: string) => ({ specifier: { case: 'inlineString', value } }) as const;
