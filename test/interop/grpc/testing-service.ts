import { create, createFileRegistry, type Message } from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';

/** grpc/testing/test.proto as far as the interop cases need it, without generated code. */

const { INT32, BYTES, STRING, MESSAGE } = FieldDescriptorProto_Type;
const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label;
const PACKAGE = 'grpc.testing';

const scalar = (name: string, number: number, type: FieldDescriptorProto_Type) => ({
  name,
  number,
  type,
  label: OPTIONAL,
});
const message = (name: string, number: number, of: string, label = OPTIONAL) => ({
  name,
  number,
  label,
  type: MESSAGE,
  typeName: `.${PACKAGE}.${of}`,
});
const method = (name: string, input: string, output: string, clientStreaming = false, serverStreaming = false) => ({
  name,
  clientStreaming,
  serverStreaming,
  inputType: `.${PACKAGE}.${input}`,
  outputType: `.${PACKAGE}.${output}`,
});

const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      create(FileDescriptorProtoSchema, {
        name: 'test.proto',
        package: PACKAGE,
        syntax: 'proto3',
        messageType: [
          { name: 'Empty' },
          { name: 'Payload', field: [scalar('body', 2, BYTES)] },
          { name: 'EchoStatus', field: [scalar('code', 1, INT32), scalar('message', 2, STRING)] },
          {
            name: 'SimpleRequest',
            field: [
              scalar('response_size', 2, INT32),
              message('payload', 3, 'Payload'),
              message('response_status', 7, 'EchoStatus'),
            ],
          },
          { name: 'Answer', field: [message('payload', 1, 'Payload')] },
          { name: 'InputRequest', field: [message('payload', 1, 'Payload')] },
          { name: 'InputResponse', field: [scalar('aggregated_payload_size', 1, INT32)] },
          { name: 'Parameters', field: [scalar('size', 1, INT32)] },
          {
            name: 'OutputRequest',
            field: [
              message('response_parameters', 2, 'Parameters', REPEATED),
              message('payload', 3, 'Payload'),
              message('response_status', 7, 'EchoStatus'),
            ],
          },
        ],
        service: [
          {
            name: 'TestService',
            method: [
              method('EmptyCall', 'Empty', 'Empty'),
              method('UnaryCall', 'SimpleRequest', 'Answer'),
              method('StreamingOutputCall', 'OutputRequest', 'Answer', false, true),
              method('StreamingInputCall', 'InputRequest', 'InputResponse', true),
              method('FullDuplexCall', 'OutputRequest', 'Answer', true, true),
              method('UnimplementedCall', 'Empty', 'Empty'),
            ],
          },
          { name: 'UnimplementedService', method: [method('UnimplementedCall', 'Empty', 'Empty')] },
        ],
      }),
    ],
  }),
);

interface Payload {
  readonly body: Uint8Array;
}
interface EchoStatus {
  readonly code: number;
  readonly message: string;
}
type Empty = Message<'grpc.testing.Empty'>;
type SimpleRequest = Message<'grpc.testing.SimpleRequest'> & {
  responseSize: number;
  payload?: Payload;
  responseStatus?: EchoStatus;
};
type Answer = Message<'grpc.testing.Answer'> & { payload?: Payload };
type InputRequest = Message<'grpc.testing.InputRequest'> & { payload?: Payload };
type InputResponse = Message<'grpc.testing.InputResponse'> & { aggregatedPayloadSize: number };
type OutputRequest = Message<'grpc.testing.OutputRequest'> & {
  responseParameters: { readonly size: number }[];
  payload?: Payload;
  responseStatus?: EchoStatus;
};

interface Kind<K extends string, I extends Message, O extends Message> {
  readonly methodKind: K;
  readonly input: GenMessage<I>;
  readonly output: GenMessage<O>;
}

export const TestService = registry.getService(`${PACKAGE}.TestService`) as GenService<{
  emptyCall: Kind<'unary', Empty, Empty>;
  unaryCall: Kind<'unary', SimpleRequest, Answer>;
  streamingOutputCall: Kind<'server_streaming', OutputRequest, Answer>;
  streamingInputCall: Kind<'client_streaming', InputRequest, InputResponse>;
  fullDuplexCall: Kind<'bidi_streaming', OutputRequest, Answer>;
  unimplementedCall: Kind<'unary', Empty, Empty>;
}>;

export const UnimplementedService = registry.getService(`${PACKAGE}.UnimplementedService`) as GenService<{
  unimplementedCall: Kind<'unary', Empty, Empty>;
}>;
