import { rowsOf } from './field-rows.ts';
import type { FieldRows } from './fields.ts';

/** Messages that several resources share. */
export const fields: FieldRows = {
  ...rowsOf('envoy.config.core.v3.Address', {
    supported: 'socket_address pipe',
    rejected: { 'internal listeners exist inside Envoy only': 'envoy_internal_address' },
  }),
  ...rowsOf('envoy.config.core.v3.SocketAddress', {
    supported: 'address port_value',
    ignored: { 'names are resolved by the platform': 'resolver_name', 'sockets are dialled by Node': 'ipv4_compat' },
    rejected: { 'only TCP is dialled': 'protocol', 'a port is a number': 'named_port' },
  }),
  ...rowsOf('envoy.config.core.v3.Pipe', { supported: 'path', ignored: { 'it is for listening': 'mode' } }),
  ...rowsOf('envoy.config.core.v3.Locality', { supported: 'region zone sub_zone' }),
  ...rowsOf('envoy.config.core.v3.Metadata', {
    supported: 'filter_metadata typed_filter_metadata',
  }),
  ...rowsOf('envoy.config.core.v3.HeaderValueOption', { supported: 'header append append_action keep_empty_value' }),
  ...rowsOf('envoy.config.core.v3.HeaderValue', {
    supported: 'key value',
    ignored: { 'header mutations of routes read value only, in Envoy too': 'raw_value' },
  }),
  ...rowsOf('envoy.config.core.v3.RuntimeFractionalPercent', { supported: 'default_value runtime_key' }),
  ...rowsOf('envoy.config.core.v3.RuntimeDouble', {
    supported: 'default_value',
    ignored: { 'there is no runtime here: the default counts': 'runtime_key' },
  }),
  ...rowsOf('envoy.config.core.v3.SubstitutionFormatString', {
    supported: 'text_format json_format text_format_source omit_empty_values content_type',
    ignored: {
      'no formatter extension is known': 'formatters',
      'members are sorted always': 'json_format_options',
    },
  }),
  ...rowsOf('envoy.config.core.v3.DataSource', {
    supported: 'filename inline_bytes inline_string environment_variable',
    ignored: { 'files are not watched': 'watched_directory' },
  }),
  ...rowsOf('envoy.config.core.v3.ConfigSource', {
    supported: 'ads self resource_api_version',
    ignored: { 'the time-outs are those of gRFC A57': 'initial_fetch_timeout', 'one stream serves all': 'authorities' },
    rejected: { 'one stream serves all types': 'path path_config_source api_config_source' },
  }),
  ...rowsOf('envoy.config.core.v3.SelfConfigSource', { supported: 'transport_api_version' }),
  ...rowsOf('envoy.config.core.v3.TransportSocket', { supported: 'name typed_config' }),
  ...rowsOf('envoy.config.core.v3.TypedExtensionConfig', { supported: 'name typed_config' }),
  ...rowsOf('envoy.config.core.v3.HttpProtocolOptions', {
    supported: 'idle_timeout max_connection_duration max_stream_duration max_requests_per_connection',
    ignored: { "Node's HTTP parser has its own limits": 'max_headers_count headers_with_underscores_action' },
  }),
  ...rowsOf('envoy.config.core.v3.Http1ProtocolOptions', {
    ignored: {
      "the HTTP/1.1 client is undici's": `allow_absolute_url accept_http_10 default_host_for_http_10 header_key_format
        enable_trailers allow_chunked_length override_stream_error_on_invalid_http_message send_fully_qualified_url
        use_balsa_parser allow_custom_methods`,
    },
  }),
  ...rowsOf('envoy.config.core.v3.Http2ProtocolOptions', {
    supported: `hpack_table_size max_concurrent_streams initial_stream_window_size initial_connection_window_size
      connection_keepalive`,
    ignored: {
      "the HTTP/2 session is Node's, with settings of its own": `allow_connect allow_metadata max_outbound_frames
        max_outbound_control_frames max_consecutive_inbound_frames_with_empty_payload max_inbound_priority_frames_per_stream
        max_inbound_window_update_frames_per_data_frame_sent stream_error_on_invalid_http_messaging
        override_stream_error_on_invalid_http_message custom_settings_parameters use_oghttp2_codec`,
    },
  }),
  ...rowsOf('envoy.config.core.v3.KeepaliveSettings', {
    supported: 'interval timeout',
    ignored: { 'a PING goes out at every interval': 'interval_jitter connection_idle_interval' },
  }),
  ...rowsOf('envoy.type.matcher.v3.MetadataMatcher', { supported: 'filter path value invert' }),
  ...rowsOf('envoy.type.matcher.v3.MetadataMatcher.PathSegment', { supported: 'key' }),
  ...rowsOf('envoy.type.matcher.v3.ValueMatcher', {
    supported: 'null_match double_match string_match bool_match present_match list_match or_match',
  }),
  ...rowsOf('envoy.type.matcher.v3.DoubleMatcher', { supported: 'range exact' }),
  ...rowsOf('envoy.type.v3.DoubleRange', { supported: 'start end' }),
  ...rowsOf('envoy.type.matcher.v3.ListMatcher', { supported: 'one_of' }),
  ...rowsOf('envoy.type.matcher.v3.OrMatcher', { supported: 'value_matchers' }),
  ...rowsOf('envoy.type.matcher.v3.StringMatcher', {
    supported: 'exact prefix suffix safe_regex contains ignore_case',
    rejected: { 'no custom matcher is known': 'custom' },
  }),
  ...rowsOf('envoy.type.matcher.v3.RegexMatcher', {
    supported: 'regex google_re2',
  }),
  ...rowsOf('envoy.type.matcher.v3.RegexMatcher.GoogleRE2', {
    ignored: { 'patterns run in linear time whatever their size': 'max_program_size' },
  }),
  ...rowsOf('envoy.type.matcher.v3.RegexMatchAndSubstitute', { supported: 'pattern substitution' }),
  ...rowsOf('envoy.type.v3.FractionalPercent', { supported: 'numerator denominator' }),
  ...rowsOf('envoy.type.v3.Int64Range', { supported: 'start end' }),
  ...rowsOf('envoy.type.v3.Percent', { supported: 'value' }),
};
