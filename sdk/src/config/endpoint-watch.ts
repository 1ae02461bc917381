import type { Timer } from '../clock.ts';
import type { ResourceWatcher } from '../discovery/discovery.ts';
import type { LoadAssignment } from '../model/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import type { ClustersParts } from './clusters.ts';
import { type Part, PENDING } from './part.ts';

/** The cluster whose endpoints are watched. */
export interface EndpointOwner {
  readonly name: string;
  readonly parts: ClustersParts;
  endpointsChanged(): void;
}

/** EDS of one cluster. */
export class EndpointWatch implements ResourceWatcher<LoadAssignment> {
  readonly serviceName: string;
  assignment: Part<LoadAssignment> = PENDING;
  readonly #owner: EndpointOwner;
  #disbelief: Timer | undefined;

  constructor(serviceName: string, owner: EndpointOwner) {
    this.serviceName = serviceName;
    this.#owner = owner;
    owner.parts.discovery.subscribe(loadAssignmentType, serviceName, this);
  }

  close(): void {
    this.#disbelief?.cancel();
    this.#owner.parts.discovery.unsubscribe(loadAssignmentType, this.serviceName, this);
  }

  get hasSome(): boolean {
    return this.assignment.kind === 'value' && !isEmpty(this.assignment.value);
  }

  /**
   * A control plane that was just restarted may not know its workloads yet: they are coming back as we are. So an empty
   * cluster neither replaces one with endpoints nor counts as warm at once.
   */
  onResource(value: LoadAssignment): void {
    const { clock, discovery } = this.#owner.parts;
    const waitMs = isEmpty(value) && !this.#isKnownEmpty() ? discovery.settlesInMs() : 0;
    if (waitMs === 0) {
      this.#set({ kind: 'value', value });
      return;
    }
    this.#disbelief?.cancel();
    this.#disbelief = clock.after(waitMs, () => this.#set({ kind: 'value', value }));
  }

  onAbsent(reason: string): void {
    this.#miss({ kind: 'absent', reason });
  }

  onError(reason: string): void {
    this.#miss({ kind: 'bad', reason });
  }

  #isKnownEmpty(): boolean {
    return this.assignment.kind === 'value' && isEmpty(this.assignment.value);
  }

  #set(assignment: Part<LoadAssignment>): void {
    this.#disbelief?.cancel();
    this.#disbelief = undefined;
    this.assignment = assignment;
    this.#owner.endpointsChanged();
  }

  /** Endpoints that were known stay when they are taken back: Envoy's EDS ignores removals, the cluster decides. */
  #miss(part: Extract<Part<LoadAssignment>, { readonly reason: string }>): void {
    if (this.assignment.kind === 'value') return;
    const { name, parts } = this.#owner;
    parts.emit({ kind: 'warning', message: `cluster "${name}" has no endpoints: ${part.reason}` });
    this.#set(part);
  }
}

const isEmpty = ({ localities }: LoadAssignment): boolean =>
  localities.every(({ endpoints }) => endpoints.length === 0);
