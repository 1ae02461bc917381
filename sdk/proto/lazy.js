// Descriptors decoded on first use. protobuf-es decodes every file on import, several times what a first call needs.
// Here a type begins as its name; asking it for more decodes the file it stands in and no other: the types of other
// files stay names until they are asked too.
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_TypeSchema,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_descriptor,
} from '@bufbuild/protobuf/wkt/google/protobuf/descriptor_pb.js';

class Pending {
  #decode;
  constructor(decode) {
    this.#decode = decode;
  }
  /** Members a type does not know by itself: reading one takes them all from the decoded descriptor. */
  static awaits(Type, members) {
    for (const member of members) {
      const get = function () {
        const decoded = this.#decode();
        for (const key of members) {
          if (!Object.hasOwn(this, key)) Object.defineProperty(this, key, { value: decoded[key], enumerable: true });
        }
        return this[member];
      };
      Object.defineProperty(Type.prototype, member, { get });
    }
  }
}

class Enum extends Pending {
  kind = 'enum';
  file;
  parent;
  name;
  typeName;
  constructor(file, parent, scope, name, decode) {
    super(decode);
    this.file = file;
    this.parent = parent;
    this.name = name;
    this.typeName = `${scope}.${name}`;
  }
}

class Message extends Pending {
  kind = 'message';
  file;
  parent;
  name;
  typeName;
  nestedMessages;
  nestedEnums;
  nestedExtensions = [];
  constructor(file, parent, scope, [name, messages = [], enums = []], decode) {
    super(decode);
    this.file = file;
    this.parent = parent;
    this.name = name;
    this.typeName = `${scope}.${name}`;
    const nest = (Type, own, list) =>
      own.map((outline, i) => new Type(file, this, this.typeName, outline, () => decode()[list][i]));
    this.nestedMessages = nest(Message, messages, 'nestedMessages');
    this.nestedEnums = nest(Enum, enums, 'nestedEnums');
  }
}

class Service extends Pending {
  kind = 'service';
  file;
  name;
  typeName;
  constructor(file, scope, name, decode) {
    super(decode);
    this.file = file;
    this.name = name;
    this.typeName = `${scope}.${name}`;
  }
}

class File extends Pending {
  kind = 'file';
  name;
  dependencies;
  messages;
  enums;
  services;
  extensions = [];
  constructor(name, scope, dependencies, [messages, enums = [], services = []], decode) {
    super(decode);
    this.name = name;
    this.dependencies = dependencies;
    this.messages = messages.map((own, i) => new Message(this, undefined, scope, own, () => decode().messages[i]));
    this.enums = enums.map((own, i) => new Enum(this, undefined, scope, own, () => decode().enums[i]));
    this.services = services.map((own, i) => new Service(this, scope, own, () => decode().services[i]));
  }
}

// Which members there are is read off descriptors that the installed protobuf-es made.
Pending.awaits(Enum, Object.keys(FieldDescriptorProto_TypeSchema));
Pending.awaits(Message, Object.keys(FieldDescriptorProtoSchema));
Pending.awaits(Service, ['proto', 'deprecated', 'methods', 'method', 'toString']);
Pending.awaits(File, Object.keys(file_google_protobuf_descriptor));

/** What a dependent needs of a file: its types by name. Without its own dependencies, which protobuf-es would walk. */
function outline({ name, messages, enums }) {
  return {
    kind: 'file',
    proto: { name: `${name}.proto` },
    messages,
    enums,
    services: [],
    extensions: [],
    dependencies: [],
  };
}

/** A file by its descriptor and the names in it: [[message, nested messages, nested enums], enum, service]. */
export function lazyFile(name, scope, names, base64, dependencies = []) {
  let decoded;
  const decode = () => {
    if (decoded === undefined) {
      const proto = fromBinary(FileDescriptorProtoSchema, Buffer.from(base64, 'base64'));
      const known = new Map(dependencies.map(outline).map((file) => [file.proto.name, file]));
      proto.dependency = [...known.keys()];
      decoded = createFileRegistry(proto, (file) => known.get(file)).getFile(proto.name);
    }
    return decoded;
  };
  return new File(name, scope, dependencies, names, decode);
}
