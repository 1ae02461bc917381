import { type Secret as Message, SecretSchema } from '../../../gen/tls.js';
import type { Secret } from '../../model/secret.ts';
import { parse } from '../any.ts';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { type DecodeSteps, resourceType } from '../resource-type.ts';
import { createFindings, Scope } from '../scope.ts';
import { required } from '../values.ts';
import { decodeTlsCertificate } from './certificate.ts';
import { decodeValidation } from './validation.ts';

/** SDS. Not `isKept`: a key is never written to disk. */
export const secretType = resourceType<Secret>(SecretSchema.typeName, decodeSteps);

// biome-ignore lint/correctness/useYield: a secret is small; the type asks for steps.
function* decodeSteps(bytes: Uint8Array): DecodeSteps<Secret> {
  const findings = createFindings();
  const root = new Scope(findings);
  const message = parse(SecretSchema, bytes, root);
  if (message === undefined) return { errors: findings.errors, name: '' };
  checkFields(SecretSchema, message, FIELDS, root);
  const { name } = message;
  required(name, root.at('name'));
  const ok = decodeSecret(message, root);
  if (ok === undefined || findings.errors.length > 0) return { errors: findings.errors, name };
  return { ok, name, warnings: findings.warnings };
}

function decodeSecret({ name, type }: Message, at: Scope): Secret | undefined {
  switch (type.case) {
    case 'tlsCertificate': {
      const certificate = decodeTlsCertificate(type.value, at.at('tls_certificate'));
      return certificate && { kind: 'certificate', name, certificate };
    }
    case 'validationContext': {
      const here = at.at('validation_context');
      const { roots, subjectAltNames, crl, pins } = decodeValidation(type.value, here);
      // They would have to be merged into those of whoever uses it, and are not: they must not go missing.
      if (pins !== undefined || subjectAltNames.length > 0)
        here.error('names and pins stand with the cluster or listener, not in a secret');
      if (roots === undefined || roots.kind === 'mesh' || roots.kind === 'secret' || roots.kind === 'unchecked') {
        here.error('no roots, trusted_ca or custom_validator_config allowed');
        return undefined;
      }
      return { kind: 'roots', name, roots, ...(crl && { crl }) };
    }
    case undefined:
      at.error('nothing in it, tls_certificate or validation_context allowed');
      return undefined;
    default:
      return { kind: 'unused', name };
  }
}
