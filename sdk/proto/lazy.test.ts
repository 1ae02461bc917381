import {
  create,
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
} from '@bufbuild/protobuf';
import { tsEnum } from '@bufbuild/protobuf/codegenv2';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import * as ca from '../gen/ca.js';
import * as cluster from '../gen/cluster.js';
import * as core from '../gen/core.js';
import * as discovery from '../gen/discovery.js';
import * as endpoint from '../gen/endpoint.js';
import * as filters from '../gen/filters.js';
import * as inmesh from '../gen/inmesh.js';
import * as listener from '../gen/listener.js';
import * as route from '../gen/route.js';
import * as security from '../gen/security.js';
import * as services from '../gen/services.js';
import * as workload from '../gen/workload.js';

const areas = {
  ca,
  cluster,
  core,
  discovery,
  endpoint,
  filters,
  inmesh,
  listener,
  route,
  security,
  services,
  workload,
};

const kindOf = (value: unknown) => (typeof value === 'object' && value !== null && 'kind' in value ? value.kind : '');
const isFile = (value: unknown): value is DescFile => kindOf(value) === 'file';
const isEnum = (value: unknown): value is DescEnum => kindOf(value) === 'enum';

const exported: unknown[] = Object.values(areas).flatMap((area) => Object.values(area));
const files = new Map(exported.filter(isFile).map((file) => [file.proto.name, file]));

/** The same descriptors as protobuf-es makes them when it decodes everything at once. */
function decodedAtOnce() {
  const ordered = new Set<DescFile>();
  const visit = (file: DescFile) => {
    for (const dependency of file.dependencies) visit(dependency);
    ordered.add(file);
  };
  for (const file of files.values()) visit(file);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered].map(({ proto }) => proto) }));
}

const shapeOfField = (field: DescField) => ({
  ...field,
  proto: undefined,
  toString: undefined,
  getDefaultValue: undefined,
  parent: field.parent.typeName,
  oneof: field.oneof?.name,
  message: field.message?.typeName,
  enum: field.enum?.typeName,
});

const shapeOf = (message: DescMessage) => ({
  text: String(message),
  proto: message.proto,
  deprecated: message.deprecated,
  file: message.file.name,
  edition: message.file.edition,
  parent: message.parent?.typeName,
  fields: message.fields.map(shapeOfField),
  byName: Object.keys(message.field),
  members: message.members.map(({ kind, name }) => `${kind} ${name}`),
  oneofs: message.oneofs.map(({ name, fields }) => [name, fields.map((field) => field.name)]),
  nested: [...nestedTypes(message)].map(String),
});

describe('descriptors decoded on first use', () => {
  const reference = decodedAtOnce();

  it('are those protobuf-es decodes on import', () => {
    for (const file of files.values()) {
      const decoded = reference.getFile(file.proto.name);
      expect([...nestedTypes(file)].map(String)).toEqual(decoded && [...nestedTypes(decoded)].map(String));
      for (const type of nestedTypes(file)) {
        const expected = reference.get(type.typeName);
        if (type.kind === 'message' && expected?.kind === 'message') expect(shapeOf(type)).toEqual(shapeOf(expected));
        if (type.kind === 'enum' && expected?.kind === 'enum') expect(tsEnum(type)).toEqual(tsEnum(expected));
        if (type.kind === 'service' && expected?.kind === 'service') {
          const shape = ({ methods }: typeof expected) =>
            methods.map((m) => `${m.methodKind} ${m} ${m.input} ${m.output}`);
          expect(shape(type)).toEqual(shape(expected));
        }
      }
    }
    expect(files.size).toBeGreaterThan(90);
  });

  it.each(Object.entries(areas))('come with enums as TypeScript makes them: %s', (_, area) => {
    const named = new Map<string, unknown>(Object.entries(area));
    for (const [name, value] of named) {
      const schema = named.get(`${name}Schema`);
      if (isEnum(schema)) expect(value, name).toEqual(tsEnum(schema));
    }
  });
});
