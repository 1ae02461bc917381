import type { MessageTable } from './message-table.ts';

const CHANNEL = 'connections are set up by the options of the channel';
const UNREAD = 'no field of a gRPC client holds one';
const NO_MUTATION = 'headers are not changed on the way';

/** Messages that several resources share. */
export const core: MessageTable = {
  'envoy.config.core.v3.Address': {
    grpc: 'socket_address',
    rejected: { 'an endpoint is an IP address (A27)': 'pipe envoy_internal_address' },
  },
  'envoy.config.core.v3.SocketAddress': {
    grpc: 'address port_value',
    rejected: { 'a port is a number (A27)': 'named_port' },
    rest: 'TCP is dialled',
  },
  'envoy.config.core.v3.Pipe': { rest: UNREAD },
  'envoy.config.core.v3.Locality': { grpc: 'region zone sub_zone' },
  'envoy.config.core.v3.Metadata': { rest: 'only keys of gRPC itself are read (A76, A83, A89)' },
  'envoy.config.core.v3.HeaderValueOption': { rest: NO_MUTATION },
  'envoy.config.core.v3.HeaderValue': {
    rest: NO_MUTATION,
    envoy: { 'header mutations of routes read value only': 'raw_value' },
  },
  'envoy.config.core.v3.RuntimeFractionalPercent': { grpc: 'default_value', rest: 'there is no runtime' },
  'envoy.config.core.v3.RuntimeDouble': { rest: UNREAD },
  'envoy.config.core.v3.SubstitutionFormatString': { rest: UNREAD },
  'envoy.config.core.v3.DataSource': { rest: UNREAD },
  'envoy.config.core.v3.ConfigSource': {
    grpc: 'ads self',
    rejected: { 'one stream serves all types (A27)': 'path path_config_source api_config_source' },
    rest: 'the time-outs are those of gRFC A57, the authorities those of the bootstrap',
  },
  'envoy.config.core.v3.SelfConfigSource': { rest: 'it is the server of the stream' },
  'envoy.config.core.v3.TransportSocket': { grpc: 'name typed_config' },
  'envoy.config.core.v3.TypedExtensionConfig': { grpc: 'name typed_config' },
  'envoy.config.core.v3.HttpProtocolOptions': {
    partly: {
      max_stream_duration: { node: { ignored: 'grpc-js-xds reads the wrong field' } },
      idle_timeout: {
        go: { ignored: CHANNEL },
        core: { ignored: CHANNEL },
        java: { ignored: CHANNEL },
        node: { sentAs: 'nothing: grpc-js-xds takes it for the deadline of calls' },
      },
    },
    rest: CHANNEL,
  },
  'envoy.config.core.v3.Http1ProtocolOptions': { rest: 'gRPC is HTTP/2' },
  'envoy.config.core.v3.Http2ProtocolOptions': { rest: CHANNEL },
  'envoy.config.core.v3.KeepaliveSettings': { rest: CHANNEL },
  'envoy.type.matcher.v3.MetadataMatcher': { rest: UNREAD },
  'envoy.type.matcher.v3.MetadataMatcher.PathSegment': { rest: UNREAD },
  'envoy.type.matcher.v3.ValueMatcher': { rest: UNREAD },
  'envoy.type.matcher.v3.DoubleMatcher': { rest: UNREAD },
  'envoy.type.v3.DoubleRange': { rest: UNREAD },
  'envoy.type.matcher.v3.ListMatcher': { rest: UNREAD },
  'envoy.type.matcher.v3.OrMatcher': { rest: UNREAD },
  'envoy.type.matcher.v3.StringMatcher': {
    grpc: 'exact prefix suffix contains ignore_case',
    partly: {
      safe_regex: { node: { sentAs: 'the same with its alternatives in a group, which it would anchor apart' } },
    },
    rejected: { 'no custom matcher is known (A63)': 'custom' },
  },
  'envoy.type.matcher.v3.RegexMatcher': { grpc: 'regex', rest: 'every engine is RE2' },
  'envoy.type.matcher.v3.RegexMatcher.GoogleRE2': { rest: 'every engine is RE2' },
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': { grpc: 'pattern substitution' },
  'envoy.type.v3.FractionalPercent': { grpc: 'numerator denominator' },
  'envoy.type.v3.Int64Range': { grpc: 'start end' },
  'envoy.type.v3.Percent': { rest: UNREAD },
};
