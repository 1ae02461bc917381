const asIs = (bytes: Buffer): Buffer => bytes;

/** A method of grpc-js without generated code: its messages are Buffers. */
export const rawMethod = (path: string, requestStream = false, responseStream = false) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});
