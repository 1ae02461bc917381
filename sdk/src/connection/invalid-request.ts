/** The request cannot be sent at all, such as a header with a line break. With undici's code, whichever HTTP it is. */
export class InvalidRequest extends Error {
  readonly code = 'UND_ERR_INVALID_ARG';

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'InvalidArgumentError';
  }
}
