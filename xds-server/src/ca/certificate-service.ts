import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Clock, systemClock } from '@inmesh/sdk/internal/clock';
import {
  type IstioCertificateRequest,
  IstioCertificateRequestSchema,
  IstioCertificateResponseSchema,
} from '@inmesh/sdk/internal/gen/ca';
import type { Principal } from '../auth/principal.ts';
import { defaultOf } from '../defaults.ts';
import type { Requester } from './audit.ts';
import type { Authority } from './authority.ts';
import { type ImpersonationPolicy, impersonationFault } from './impersonation.ts';
import { IssueRate, type IssueRateShape } from './issue-rate.ts';
import { CertificateRefused, type RefusalReason } from './refusal.ts';

/** google.rpc.Code, as istiod answers: what is wrong with the request is the sender's to mend, what is missing here passes. */
const CODES: Readonly<Record<RefusalReason, number>> = {
  'too-large': 3,
  malformed: 3,
  signature: 3,
  key: 3,
  lifetime: 3,
  names: 3,
  unauthenticated: 16,
  // istiod: UNAUTHENTICATED, and no more is said.
  impersonation: 16,
  rate: 8,
  unavailable: 14,
};

/** A gRPC status that is not OK. */
export interface CertificateStatus {
  readonly code: number;
  readonly message: string;
}

export interface CertificateServiceOptions {
  readonly authority: Authority;
  readonly clock?: Clock;
  /** Certificates that one principal may ask for. */
  readonly rate?: IssueRateShape;
  /** Who may ask for the certificates of others; nobody where it is absent. */
  readonly impersonation?: ImpersonationPolicy;
}

/** istio.v1.auth.IstioCertificateService, without its transport. */
export interface CertificateService {
  /** The encoded IstioCertificateResponse, or why there is none. */
  createCertificate(request: Uint8Array, principal: Principal | undefined): Promise<Uint8Array | CertificateStatus>;
}

export const isStatus = (answer: Uint8Array | CertificateStatus): answer is CertificateStatus =>
  !(answer instanceof Uint8Array);

export function createCertificateService(options: CertificateServiceOptions): CertificateService {
  const { authority, clock = systemClock, impersonation } = options;
  const rate = new IssueRate({
    perSecond: defaultOf('certificatesPerSecond'),
    burst: defaultOf('certificatesBurst'),
    ...options.rate,
  });
  const parts = { authority, clock, impersonation, rate };
  return {
    createCertificate: async (bytes, principal) => {
      try {
        return await answer(parts, bytes, principal);
      } catch (error) {
        if (error instanceof CertificateRefused) return { code: CODES[error.reason], message: error.message };
        return { code: 13, message: 'the certificate could not be signed' };
      }
    },
  };
}

interface ServiceParts {
  readonly authority: Authority;
  readonly clock: Clock;
  readonly impersonation: ImpersonationPolicy | undefined;
  readonly rate: IssueRate;
}

async function answer(parts: ServiceParts, bytes: Uint8Array, principal: Principal | undefined): Promise<Uint8Array> {
  const { authority } = parts;
  if (principal === undefined)
    throw new CertificateRefused(
      'unauthenticated',
      'a certificate is issued to a proven identity: a token or a client certificate',
    );
  if (!parts.rate.admit(callerOf(principal), parts.clock.now()))
    throw new CertificateRefused('rate', 'too many certificates are asked for; ask again later');
  const request = decode(bytes);
  const uri = await nameOf(parts, request, principal);
  const issued = await authority.issue({
    csrPem: request.csr,
    names: { uris: [uri] },
    // A lifetime beyond what a number holds is beyond what is allowed, too.
    ttlMs: Number(request.validityDuration) * 1_000,
    requester: requesterOf(principal),
  });
  const { roots } = authority.bundle();
  const root = issued.chain.at(-1) ?? '';
  // One certificate an element, the issuing root last (istiod; its agents take the last one for the root). Roots that are
  // trusted beside it come before: ztunnel and our SDK take all that are self-signed.
  const certChain = [...issued.chain.slice(0, -1), ...roots.filter((other) => other !== root), root];
  return toBinary(IstioCertificateResponseSchema, create(IstioCertificateResponseSchema, { certChain }));
}

function decode(bytes: Uint8Array): IstioCertificateRequest {
  try {
    return fromBinary(IstioCertificateRequestSchema, bytes);
  } catch {
    throw new CertificateRefused('malformed', 'it is no IstioCertificateRequest');
  }
}

const callerOf = (principal: Principal): string => `${requesterOf(principal).principal} ${principal.pod?.uid ?? ''}`;

const requesterOf = (principal: Principal): Requester => ({
  principal: `spiffe://${principal.trustDomain}/ns/${principal.namespace}/sa/${principal.serviceAccount}`,
  via: principal.via,
});

/** The name of whoever asks; of another workload where a node agent asks for it. Names in the CSR never count. */
async function nameOf(
  { authority, clock, impersonation }: ServiceParts,
  { metadata }: IstioCertificateRequest,
  principal: Principal,
): Promise<string> {
  const wanted = metadata?.ImpersonatedIdentity;
  if (typeof wanted !== 'string' || wanted === '') return requesterOf(principal).principal;
  const question = { policy: impersonation, wanted, principal, trustDomain: authority.trustDomain };
  const fault = await impersonationFault(question).catch(() => {
    throw new CertificateRefused('unavailable', 'the pods of the cluster cannot be looked up; ask again later');
  });
  if (fault === undefined) return wanted;
  await authority.record({
    atMs: clock.wallTime(),
    ...requesterOf(principal),
    names: { uris: [wanted.slice(0, 2_048)] },
    outcome: 'refused',
    reason: 'impersonation',
    message: fault,
  });
  // As istiod: the reason is for the log, not for somebody who tries names.
  throw new CertificateRefused('impersonation', 'request impersonation authentication failure');
}
