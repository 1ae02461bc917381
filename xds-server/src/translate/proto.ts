import { create, type DescMessage, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { ApiVersion, type ConfigSourceSchema } from '@inmesh/sdk/internal/gen/core';

/** The fields of a message as plain values: what the mapping functions return, made a message once, at the top. */
export type Fields<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, Message>;

/** google.protobuf.Any from plain fields. */
export const packAny = <Desc extends DescMessage>(schema: Desc, fields: MessageInitShape<Desc>): Any =>
  anyPack(schema, create(schema, fields));

/** "On the same stream": the only place anything is fetched from. */
export const ADS: Fields<typeof ConfigSourceSchema> = {
  resourceApiVersion: ApiVersion.V3,
  configSourceSpecifier: { case: 'ads', value: {} },
};
