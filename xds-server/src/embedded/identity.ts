import type { Clock } from '@inmesh/sdk/internal/clock';
import type { Identity } from '@inmesh/sdk/internal/identity/identity';
import { type Authenticate, createAuthenticator } from '../auth/authenticator.ts';
import { type BootstrapTokens, createBootstrapTokens } from '../auth/bootstrap-token.ts';
import { createJwtIssuer } from '../auth/jwt-issuer.ts';
import { isNamespace, isServiceAccount, type Principal } from '../auth/principal.ts';
import { loadOrCreateTokenKey, newTokenKey } from '../auth/token-key.ts';
import { createTokenReviewer } from '../auth/token-review.ts';
import { type Authority, createAuthority } from '../ca/authority.ts';
import { createCertificateService } from '../ca/certificate-service.ts';
import type { PodLookup } from '../ca/impersonation.ts';
import { kubernetesStore } from '../ca/kubernetes-store.ts';
import type { Certify } from '../discovery/grpc-services.ts';
import { createOwnCertificate } from '../discovery/own-certificate.ts';
import { findAccess } from '../kubernetes/access.ts';
import { createKubernetesApi, type KubernetesApi } from '../kubernetes/api.ts';
import type { TrustBundle } from '../translate/tls/mesh-roots.ts';
import type { AuthenticationOptions, CaOptions } from './identity-options.ts';

export interface MeshIdentityParts {
  /** undefined: there is no CA. */
  readonly ca: CaOptions | undefined;
  readonly authentication: AuthenticationOptions;
  /** Who runs where. */
  readonly pods: PodLookup;
  readonly clock: Clock;
  /** Of the MeshConfig, when it has been read. */
  readonly trustDomain: () => string;
  readonly setTrustBundle: (bundle: TrustBundle) => void;
  readonly problem: (message: string) => void;
}

/** Who is who in a mesh: the CA, who it believes, and the control plane's own certificate. Nothing of it is made before it is needed. */
export class MeshIdentity {
  readonly #parts: MeshIdentityParts;
  readonly #nodeAgents: ReadonlySet<string>;
  readonly #tokenKey: () => ReturnType<typeof newTokenKey>;
  #authority: Promise<Authority> | undefined;
  #open: Authority | undefined;
  #certify: Certify | undefined;
  #authenticator: Promise<Authenticate> | undefined;
  #api: KubernetesApi | undefined;
  /** One for each port, whose names are its own. */
  readonly #own: Identity[] = [];
  #isClosed = false;

  constructor(parts: MeshIdentityParts) {
    this.#parts = parts;
    this.#nodeAgents = nodeAgentsOf(parts.authentication);
    this.#tokenKey = once(() => {
      const directory = parts.ca?.directory;
      return directory === undefined ? newTokenKey() : loadOrCreateTokenKey(directory);
    });
  }

  get hasCa(): boolean {
    return this.#parts.ca !== undefined;
  }

  /** That of the CA, once there is one: names of another are not certified. */
  get trustDomain(): string {
    return this.#open?.trustDomain ?? this.#parts.trustDomain().toLowerCase();
  }

  /** Rejects where there is none and where its store cannot be used; asked again, it tries again. */
  authority(): Promise<Authority> {
    this.#authority ??= this.#create().catch((error: unknown) => {
      this.#authority = undefined;
      throw error;
    });
    return this.#authority;
  }

  readonly authenticate: Authenticate = async (credentials) => {
    this.#authenticator ??= this.#createAuthenticator().catch((error: unknown) => {
      this.#authenticator = undefined;
      throw error;
    });
    return (await this.#authenticator)(credentials);
  };

  readonly certify: Certify = async (request, principal) => {
    let authority: Authority;
    try {
      authority = await this.authority();
    } catch (error) {
      this.#parts.problem(`CA: ${text(error)}`);
      return { code: UNAVAILABLE, message: 'the CA is not there' };
    }
    const { clock, pods } = this.#parts;
    const nodeAgents = this.#nodeAgents;
    this.#certify ??= createCertificateService({
      authority,
      clock,
      ...(nodeAgents.size > 0 && { impersonation: { nodeAgents, pods } }),
    }).createCertificate;
    return this.#certify(request, principal);
  };

  /** Of the CA here: who holds one is that service account. */
  async tokens(): Promise<BootstrapTokens> {
    const { trustDomain } = await this.authority();
    return createBootstrapTokens({ key: this.#tokenKey(), trustDomain, clock: this.#parts.clock });
  }

  /** A workload of this process: nobody has to prove to it what it says itself. */
  inProcess(namespace: string, serviceAccount: string): Principal {
    if (!isNamespace(namespace))
      throw new TypeError(`namespace: got "${namespace}", want a name of Kubernetes (RFC 1123)`);
    if (!isServiceAccount(serviceAccount))
      throw new TypeError(`serviceAccount: got "${serviceAccount}", want a name of Kubernetes (RFC 1123)`);
    const trustDomain = (): string => this.trustDomain;
    return {
      kind: 'workload',
      namespace,
      serviceAccount,
      via: 'in-process',
      // The MeshConfig may not have been read yet.
      get trustDomain() {
        return trustDomain();
      },
    };
  }

  /** The certificate of the control plane's own port. */
  async ownCertificate(names: { readonly dns: readonly string[]; readonly ips: readonly string[] }): Promise<Identity> {
    const { clock, problem } = this.#parts;
    const own = await createOwnCertificate({ authority: await this.authority(), ...names, clock, failed: problem });
    this.#own.push(own);
    if (this.#isClosed) own.close();
    return own;
  }

  close(): void {
    this.#isClosed = true;
    for (const own of this.#own) own.close();
    this.#open?.close();
  }

  async #create(): Promise<Authority> {
    const { ca, clock, setTrustBundle, problem } = this.#parts;
    if (ca === undefined) throw new Error('this control plane has no CA');
    const { directory, kubernetesNamespace } = ca;
    const store =
      kubernetesNamespace === undefined ? undefined : await kubernetesStore(this.#kubernetes(), kubernetesNamespace);
    const authority = await createAuthority({
      trustDomain: this.trustDomain,
      ...(store !== undefined && { store }),
      ...(directory !== undefined && { directory }),
      clock,
      onProblem: (message) => problem(`CA: ${message}`),
    });
    this.#open = authority;
    // Commands that mint tokens find it beside the CA.
    if (directory !== undefined) this.#tokenKey();
    if (this.#isClosed) authority.close();
    authority.onBundle(setTrustBundle);
    setTrustBundle(authority.bundle());
    return authority;
  }

  async #createAuthenticator(): Promise<Authenticate> {
    const { authentication, clock, ca } = this.#parts;
    const { issuers = [], kubernetes = false } = authentication;
    const trustDomain = ca === undefined ? this.trustDomain : (await this.authority()).trustDomain;
    return createAuthenticator({
      ...(ca !== undefined && { bootstrapTokens: () => this.tokens() }),
      issuers: issuers.map((rule) => createJwtIssuer(rule, { trustDomain, clock })),
      ...(kubernetes && { kubernetes: createTokenReviewer({ api: this.#kubernetes(), trustDomain, clock }) }),
    });
  }

  #kubernetes(): KubernetesApi {
    if (this.#api === undefined) {
      const access = findAccess(process.env);
      if (access === undefined) throw new Error('Kubernetes API: neither in a Pod nor is KUBECONFIG set');
      this.#api = createKubernetesApi(access);
    }
    return this.#api;
  }
}

function nodeAgentsOf({ nodeAgents = [] }: AuthenticationOptions): ReadonlySet<string> {
  for (const agent of nodeAgents) {
    const [namespace = '', account = '', ...more] = agent.split('/');
    if (!isNamespace(namespace) || !isServiceAccount(account) || more.length > 0)
      throw new TypeError(`nodeAgents: got "${agent}", want NAMESPACE/SERVICE-ACCOUNT`);
  }
  return new Set(nodeAgents);
}

const UNAVAILABLE = 14;

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
