import type { MeshResponse } from '../http/call-policy.ts';

/** An answer that counts as a failure, on its way through opossum, which knows failures as rejections alone. */
export class FailedAnswer {
  readonly response: MeshResponse;

  constructor(response: MeshResponse) {
    this.response = response;
  }
}
