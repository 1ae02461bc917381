import { type Default, entry } from './entry.ts';

/** Of certificates. */
export const IDENTITY = {
  certificateTtlMs: entry(
    86_400_000,
    'ms',
    'Istio agent SECRET_TTL',
    "life asked for of this process's own certificate; the CA decides",
  ),
  certificateSkewMs: entry(
    300_000,
    'ms',
    'Inmesh (istiod dates certificates back by 2 min)',
    "our own new certificate is used though its time begins this much later by this process's clock",
  ),
  certificateCheckMs: entry(
    60_000,
    'ms',
    'Inmesh',
    'between two looks at the wall clock while a certificate is held: after a suspend timers are late',
  ),
  identityRetryMs: entry(
    500,
    'ms',
    'ztunnel',
    'before a certificate that could not be had is asked for again; doubled each time',
  ),
  identityRetryMaxMs: entry(150_000, 'ms', 'ztunnel', 'longest wait before it is asked for again'),
  identityCallMs: entry(10_000, 'ms', 'Inmesh', 'for the answer of the CA'),
  identityAnswerBytes: entry(1_048_576, 'bytes', 'Inmesh', 'largest answer taken of a CA'),
  workloadApiPingMs: entry(
    600_000,
    'ms',
    'Inmesh (grpc-go takes one in 5 min)',
    'between two PINGs to the agent of the SPIFFE Workload API',
  ),
  identityFilesMs: entry(
    1_000,
    'ms',
    'Inmesh',
    'between two looks at files of certificates: symbolic links are swapped without a word to who watches them',
  ),
} as const satisfies Record<string, Default>;
