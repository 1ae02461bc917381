import { contentHash } from '../schema/content-hash.ts';
import { originOf } from '../schema/origin.ts';
import type { ChangeEvent, ConfigObject, ObjectKey } from '../schema/types.ts';

/** A process that says which service it belongs to (Istio's WorkloadGroup auto-registration). */
export interface Registration {
  /** Unique per registration and stable while it lasts. */
  readonly uid: string;
  /** Name of a Service in `namespace`, or a full host name. */
  readonly service: string;
  readonly namespace: string;
  /** Where the process listens. */
  readonly port: number;
  readonly address: string;
  readonly version?: string;
  readonly labels?: ReadonlyMap<string, string>;
  /** Name for people and for `--from`; `service-version` where none is given. */
  readonly workload?: string;
  readonly serviceAccount?: string;
  /** `region/zone/subzone`. */
  readonly locality?: string;
}

/** Annotations of the WorkloadEntry that a registration becomes. */
export const REGISTERED_SERVICE = 'inmesh.dev/service';
export const REGISTERED_PORT = 'inmesh.dev/port';
export const REGISTERED_WORKLOAD = 'inmesh.dev/workload';

export const registrationKey = (uid: string, namespace: string): ObjectKey =>
  `WorkloadEntry/${namespace}/${registrationName(uid)}`;

/** Cannot collide with a written object: `~` is in no Kubernetes name. */
const registrationName = (uid: string): string => `~${uid}`;

/** The event that makes it an endpoint; `{ kind: 'delete', key: registrationKey(…) }` takes it away. */
export const registrationEvent = (registration: Registration): ChangeEvent => {
  const { uid, service, namespace, port, address, version, serviceAccount, locality } = registration;
  const workload = registration.workload ?? (version === undefined ? service : `${service}-${version}`);
  const content: Omit<ConfigObject<'WorkloadEntry'>, 'contentHash' | 'origin'> = {
    kind: 'WorkloadEntry',
    apiVersion: 'networking.istio.io/v1',
    name: registrationName(uid),
    namespace,
    labels: new Map(),
    annotations: new Map([
      [REGISTERED_SERVICE, service],
      [REGISTERED_PORT, String(port)],
      [REGISTERED_WORKLOAD, workload],
    ]),
    spec: {
      address,
      ports: new Map(),
      labels: new Map([
        ...(registration.labels ?? []),
        ...(version === undefined ? [] : [['version', version] as const]),
      ]),
      ...(locality !== undefined && { locality }),
      ...(serviceAccount !== undefined && { serviceAccount }),
    },
    key: registrationKey(uid, namespace),
  };
  return {
    kind: 'upsert',
    object: { ...content, contentHash: contentHash(content), origin: originOf('(registered)') },
  };
};
