// A SPIFFE agent for tests: it serves the Workload API, holds a TLS port and dials one, all by go-spiffe and grpc-go.
//
// Usage: peer SOCKET. It writes one line of JSON for each thing that happens, and reads commands, one a line:
//
//	issue ID SECONDS   a new certificate for ID
//	roots              a new root for the trust domain, beside the old one, and a certificate by it
//	forget             the roots before the last are taken away
//	federate DOMAIN    a root of another trust domain
//	revoke             the list of revoked certificates names the one that was issued last
//	deny               nobody is registered any more
//	drop               all streams are ended
//	dial PORT [ID]     connects to a TLS port of this machine; whoever it is, or ID alone
package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

type agent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	mutex     sync.Mutex
	roots     []authority
	federated map[string][]byte
	lists     [][]byte
	id        spiffeid.ID
	svid      *x509svid.SVID
	denied    bool
	changed   chan struct{}
	dropped   chan struct{}
}

func main() {
	a := &agent{federated: map[string][]byte{}, changed: make(chan struct{}), dropped: make(chan struct{})}
	a.addRoot("spiffe.test")
	a.issue("spiffe://spiffe.test/ns/default/sa/reviews", time.Hour)
	listener, err := net.Listen("unix", os.Args[1])
	check(err)
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, a)
	go func() { check(server.Serve(listener)) }()
	port := a.listenTLS()
	say(map[string]any{"event": "ready", "port": port})
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		a.obey(strings.Fields(scanner.Text()))
	}
}

func (a *agent) obey(words []string) {
	switch words[0] {
	case "issue":
		seconds, err := strconv.Atoi(words[2])
		check(err)
		a.issue(words[1], time.Duration(seconds)*time.Second)
	case "roots":
		a.addRoot(a.id.TrustDomain().Name())
		a.issue(a.id.String(), time.Hour)
	case "forget":
		a.change(func() { a.roots = a.roots[len(a.roots)-1:] })
	case "federate":
		root := newRoot(words[1])
		a.change(func() { a.federated["spiffe://"+words[1]] = root.certificate.Raw })
	case "revoke":
		a.revoke()
	case "deny":
		a.change(func() { a.denied = true })
	case "drop":
		a.mutex.Lock()
		close(a.dropped)
		a.dropped = make(chan struct{})
		a.mutex.Unlock()
	case "dial":
		go a.dial(words[1:])
	}
	say(map[string]any{"event": "done", "command": words[0]})
}

func (a *agent) change(apply func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	apply()
	close(a.changed)
	a.changed = make(chan struct{})
}

func newRoot(name string) authority {
	key := newKey()
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: name, SerialNumber: newSerial().String()},
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: name}},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return authority{sign(template, template, key.Public(), key), key}
}

func (a *agent) addRoot(name string) {
	root := newRoot(name)
	a.change(func() { a.roots = append(a.roots, root) })
}

func (a *agent) issue(uri string, life time.Duration) {
	id := spiffeid.RequireFromString(uri)
	root := a.roots[len(a.roots)-1]
	// Over an intermediate, as an agent with an upstream authority does it.
	between := newKey()
	middle := sign(&x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "intermediate"},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(12 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, root.certificate, between.Public(), root.key)
	key := newKey()
	leaf := sign(&x509.Certificate{
		SerialNumber:          newSerial(),
		URIs:                  []*url.URL{id.URL()},
		NotBefore:             time.Now().Add(-10 * time.Second),
		NotAfter:              time.Now().Add(life),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, middle, key.Public(), between)
	a.change(func() {
		a.id = id
		a.svid = &x509svid.SVID{ID: id, Certificates: []*x509.Certificate{leaf, middle}, PrivateKey: key}
		// The list of who signed it, empty as yet.
		a.lists = [][]byte{newList(authority{middle, between}, nil)}
		issuer = authority{middle, between}
	})
}

// Of the last certificate.
var issuer authority

func (a *agent) revoke() {
	serial := a.svid.Certificates[0].SerialNumber
	a.change(func() { a.lists = [][]byte{newList(issuer, serial)} })
}

func newList(by authority, serial *big.Int) []byte {
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	if serial != nil {
		template.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: serial, RevocationTime: time.Now()}}
	}
	list, err := x509.CreateRevocationList(rand.Reader, template, by.certificate, by.key)
	check(err)
	return list
}

func (a *agent) FetchX509SVID(_ *workload.X509SVIDRequest, stream workload.SpiffeWorkloadAPI_FetchX509SVIDServer) error {
	sent, _ := metadata.FromIncomingContext(stream.Context())
	// SPIFFE Workload Endpoint §6.
	if header := sent.Get("workload.spiffe.io"); len(header) != 1 || header[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	for {
		answer, changed, dropped, err := a.answer()
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
		say(map[string]any{"event": "sent", "id": answer.Svids[0].SpiffeId})
		select {
		case <-changed:
		case <-dropped:
			return status.Error(codes.Unavailable, "the agent goes away")
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (a *agent) answer() (*workload.X509SVIDResponse, chan struct{}, chan struct{}, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.denied {
		return nil, nil, nil, status.Error(codes.PermissionDenied, "no identity issued")
	}
	chain, key, err := a.svid.MarshalRaw()
	check(err)
	var bundle []byte
	for _, root := range a.roots {
		bundle = append(bundle, root.certificate.Raw...)
	}
	federated := map[string][]byte{}
	for name, roots := range a.federated {
		federated[name] = roots
	}
	svid := &workload.X509SVID{SpiffeId: a.id.String(), X509Svid: chain, X509SvidKey: key, Bundle: bundle}
	return &workload.X509SVIDResponse{Svids: []*workload.X509SVID{svid}, Crl: a.lists, FederatedBundles: federated},
		a.changed, a.dropped, nil
}

func (a *agent) GetX509SVID() (*x509svid.SVID, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.svid, nil
}

func (a *agent) GetX509BundleForTrustDomain(name spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	bundle := x509bundle.New(name)
	for _, root := range a.roots {
		bundle.AddX509Authority(root.certificate)
	}
	return bundle, nil
}

// Whoever connects is told who it is, and is shown in what is written.
func (a *agent) listenTLS() int {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", tlsconfig.MTLSServerConfig(a, a, tlsconfig.AuthorizeAny()))
	check(err)
	go func() {
		for {
			raw, err := listener.Accept()
			check(err)
			go func() {
				connection := raw.(*tls.Conn)
				defer connection.Close()
				if err := connection.Handshake(); err != nil {
					say(map[string]any{"event": "refused", "error": err.Error()})
					return
				}
				id, err := x509svid.IDFromCert(connection.ConnectionState().PeerCertificates[0])
				check(err)
				say(map[string]any{"event": "accepted", "id": id.String()})
				fmt.Fprintf(connection, "hello %s", id)
				_, _ = io.Copy(io.Discard, connection)
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func (a *agent) dial(words []string) {
	authorize := tlsconfig.AuthorizeAny()
	if len(words) > 1 {
		authorize = tlsconfig.AuthorizeID(spiffeid.RequireFromString(words[1]))
	}
	dialer := tls.Dialer{Config: tlsconfig.MTLSClientConfig(a, a, authorize)}
	connection, err := dialer.DialContext(context.Background(), "tcp", "127.0.0.1:"+words[0])
	if err != nil {
		say(map[string]any{"event": "dialled", "error": err.Error()})
		return
	}
	defer connection.Close()
	heard := make([]byte, 1024)
	length, err := connection.Read(heard)
	result := map[string]any{"event": "dialled", "heard": string(heard[:length])}
	if err != nil && !errors.Is(err, io.EOF) {
		result["error"] = err.Error()
	}
	say(result)
}

func sign(template, parent *x509.Certificate, key crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, by)
	check(err)
	certificate, err := x509.ParseCertificate(der)
	check(err)
	return certificate
}

func newKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	return key
}

func newSerial() *big.Int {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	check(err)
	return serial
}

var output sync.Mutex

func say(line map[string]any) {
	output.Lock()
	defer output.Unlock()
	check(json.NewEncoder(os.Stdout).Encode(line))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
