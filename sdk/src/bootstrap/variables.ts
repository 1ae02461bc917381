/** One environment variable of the SDK. `docs/reference/bootstrap.md` is printed from this list. */
export interface BootstrapVariable {
  readonly name: string;
  /** The option of `createMesh` that says the same and wins over it. */
  readonly option?: string;
  readonly meaning: string;
  /** What holds when it is not set, in words. */
  readonly default: string;
  readonly example: string;
}

export const VARIABLES = [
  {
    name: 'INMESH_XDS',
    option: 'xds',
    meaning:
      'where the control plane is: `host:port` in plain text, `tls://host:port`, or `unix:PATH`; several, separated by commas, in order of preference (gRFC A71)',
    default: 'none: without it (and without a gRPC bootstrap) the mesh is off and every call goes out as written',
    example: '127.0.0.1:15010',
  },
  {
    name: 'INMESH_PROTOCOL',
    option: 'protocol',
    meaning:
      'the xDS variant: `auto` (delta, or state of the world where the server does not know delta), `delta` or `sotw`',
    default: 'auto',
    example: 'delta',
  },
  {
    name: 'INMESH_NAMESPACE',
    option: 'namespace',
    meaning: 'the namespace this process belongs to: short names are looked up in it',
    default: 'that of the token, if there is one, else default',
    example: 'bookinfo',
  },
  {
    name: 'INMESH_WORKLOAD',
    option: 'workload',
    meaning: 'the name of the workload (a Deployment, say) this process is an instance of',
    default: 'the service with its version, else the host name',
    example: 'reviews-v2',
  },
  {
    name: 'INMESH_SERVICE_ACCOUNT',
    option: 'serviceAccount',
    meaning: 'the service account: the last part of the SPIFFE identity',
    default: 'that of the token, if there is one, else default',
    example: 'bookinfo-reviews',
  },
  {
    name: 'INMESH_LABELS',
    option: 'labels',
    meaning: 'labels of this workload as `key=value` pairs separated by commas; `sourceLabels` rules read them',
    default: '`app` and `version` of the service, if one is named',
    example: 'app=reviews,version=v2',
  },
  {
    name: 'INMESH_LOCALITY',
    option: 'locality',
    meaning: 'where this process runs, as `region/zone/sub-zone` (the last two may be left out)',
    default: 'unknown',
    example: 'eu-west/eu-west-1a',
  },
  {
    name: 'INMESH_SERVICE',
    option: 'service.name',
    meaning: 'the service this process offers: it is an endpoint of it for as long as it is connected',
    default: 'none: the process only calls others',
    example: 'reviews',
  },
  {
    name: 'INMESH_PORT',
    option: 'service.port',
    meaning: 'the port it listens on, required with INMESH_SERVICE',
    default: 'none',
    example: '9080',
  },
  {
    name: 'INMESH_VERSION',
    option: 'service.version',
    meaning: 'the `version` label of that endpoint: subsets select by it',
    default: 'none',
    example: 'v2',
  },
  {
    name: 'INMESH_OUTBOUND_POLICY',
    option: 'outboundPolicy',
    meaning:
      'what happens to a host the control plane does not know: `ALLOW_ANY` sends the call as written, `REGISTRY_ONLY` answers 502',
    default: 'ALLOW_ANY',
    example: 'REGISTRY_ONLY',
  },
  {
    name: 'INMESH_SNAPSHOT',
    option: 'snapshot',
    meaning:
      'a file that keeps the last good configuration, so that a process can start while the control plane is away',
    default: 'none',
    example: '/var/cache/app/mesh.snapshot',
  },
  {
    name: 'INMESH_REQUIRED',
    option: 'required',
    meaning: '`1` makes a missing control plane an error at start instead of a mesh that is off',
    default: '0',
    example: '1',
  },
  {
    name: 'INMESH_LOG',
    option: 'log',
    meaning: '`debug` prints one line a decision to the standard error output, `off` nothing',
    default: 'off',
    example: 'debug',
  },
  {
    name: 'INMESH_TOKEN',
    option: 'identity.token',
    meaning:
      'the token that proves to the control plane and its CA who this process is; sent over TLS, on this machine, and nowhere else',
    default: 'the file of INMESH_TOKEN_FILE',
    example: 'eyJhbGciOi…',
  },
  {
    name: 'INMESH_TOKEN_FILE',
    option: 'identity.tokenFile',
    meaning: 'a file with that token, read anew each time it is sent',
    default: '`/var/run/secrets/tokens/istio-token` where there is one',
    example: '/var/run/secrets/tokens/istio-token',
  },
  {
    name: 'INMESH_CA',
    option: 'identity.ca',
    meaning: 'where certificates come from (`istio.v1.auth`: an Inmesh control plane, istiod), with the token',
    default: 'the control plane of INMESH_XDS',
    example: 'tls://istiod.istio-system.svc:15012',
  },
  {
    name: 'INMESH_CA_ROOT',
    option: 'identity.caRoot',
    meaning: 'a PEM file of the roots that vouch for the control plane and the CA on `tls://`',
    default: "`/var/run/secrets/istio/root-cert.pem` where there is one, else the platform's roots",
    example: '/var/run/secrets/istio/root-cert.pem',
  },
  {
    name: 'INMESH_CERT_FILE',
    option: 'identity.certificateFile',
    meaning: "this process's certificate in a PEM file, leaf first; read anew when it changes",
    default: 'none',
    example: '/etc/certs/cert-chain.pem',
  },
  {
    name: 'INMESH_KEY_FILE',
    option: 'identity.keyFile',
    meaning: 'its key, required with INMESH_CERT_FILE',
    default: 'none',
    example: '/etc/certs/key.pem',
  },
  {
    name: 'INMESH_ROOT_FILE',
    option: 'identity.rootFile',
    meaning: "the roots of this process's trust domain, for INMESH_CERT_FILE",
    default: 'those the control plane tells (`ROOTCA`)',
    example: '/etc/certs/root-cert.pem',
  },
  {
    name: 'SPIFFE_ENDPOINT_SOCKET',
    option: 'identity.workloadApi',
    meaning: 'where the SPIFFE Workload API is, of SPIRE say: certificate, key and bundles come from there',
    default: 'none',
    example: 'unix:///run/spire/agent.sock',
  },
  {
    name: 'INMESH_SDS',
    option: 'identity.sds',
    meaning:
      "certificate, key and roots as Envoy secrets (`default`, `ROOTCA`): `unix:PATH` of an agent's socket, or `ads` for the control plane",
    default: '`unix:/var/run/secrets/workload-spiffe-uds/socket` where there is one',
    example: 'unix:/var/run/secrets/workload-spiffe-uds/socket',
  },
  {
    name: 'INMESH_TRUST_DOMAIN',
    option: 'identity.trustDomain',
    meaning: 'the trust domain this process asks the CA for; the CA decides',
    default: 'cluster.local',
    example: 'prod.example.com',
  },
  {
    name: 'SECRET_TTL',
    option: 'identity.certificateTtlMs',
    meaning: 'how long certificates are asked for; the CA decides',
    default: '24h',
    example: '1h30m',
  },
  {
    name: 'GRPC_XDS_BOOTSTRAP',
    meaning:
      "a gRPC bootstrap file, as Istio's agent writes it: `xds_servers` with their `server_features`, `channel_creds` (`tls`, `insecure`), `certificate_providers` (`file_watcher`), `authorities`, the two listener name templates and `node` are read; the variables above win",
    default: 'none',
    example: '/etc/istio/proxy/grpc-bootstrap.json',
  },
  {
    name: 'GRPC_XDS_BOOTSTRAP_CONFIG',
    meaning: 'the same as JSON text, used when GRPC_XDS_BOOTSTRAP is not set',
    default: 'none',
    example: '{"xds_servers":[{"server_uri":"127.0.0.1:15010","channel_creds":[{"type":"insecure"}]}]}',
  },
] as const satisfies readonly BootstrapVariable[];

export type VariableName = (typeof VARIABLES)[number]['name'];
