import type { JwtIssuerRule } from '../auth/jwt-issuer.ts';

/** The certificate authority of a control plane. */
export interface CaOptions {
  /**
   * Where its keys are kept: a folder that only its owner can enter. With `ca-cert.pem`, `ca-key.pem`, `cert-chain.pem` and
   * `root-cert.pem` in it, as Istio names them, that CA signs; else a root is made there. Left out: in memory, gone with this process.
   */
  readonly directory?: string;
  /** Keep it in a Secret of Kubernetes instead, as istiod: `cacerts` where there is one, else `istio-ca-secret`, of this namespace. */
  readonly kubernetesNamespace?: string;
}

/** How processes prove who they are, beside bootstrap tokens and certificates of the CA itself. */
export interface AuthenticationOptions {
  /** Issuers of JWTs whose subject is a service account (Istio JWT_RULE). */
  readonly issuers?: readonly JwtIssuerRule[];
  /** Service-account tokens are reviewed by the Kubernetes API: of the Pod this runs in, or of the file that KUBECONFIG names. */
  readonly kubernetes?: boolean;
  /**
   * `NAMESPACE/SERVICE-ACCOUNT` of agents that may ask for certificates of the workloads on their own node (istiod
   * CA_TRUSTED_NODE_ACCOUNTS), such as `istio-system/ztunnel`. Their token must prove their Pod, and the Pods must be known.
   */
  readonly nodeAgents?: readonly string[];
}
