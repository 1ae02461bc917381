// Bookinfo's ratings by gRPC once more, in Go and without a line about the mesh but the two of its credentials: an xDS server takes who
// may connect, and how, from the control plane that its bootstrap names (GRPC_XDS_BOOTSTRAP).
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/xds"
	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of ratings.proto.
const (
	responseRatings protowire.Number = 1
	ratingReviewer  protowire.Number = 1
	ratingStars     protowire.Number = 2
)

var stars = []struct {
	reviewer string
	stars    uint64
}{{"Reviewer1", 3}, {"Reviewer2", 2}}

// Messages as they are on the wire: the example does without generated code.
type wire struct{}

func (wire) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }
func (wire) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (wire) Name() string { return "proto" }

func response() []byte {
	var all []byte
	for _, one := range stars {
		rating := protowire.AppendTag(nil, ratingReviewer, protowire.BytesType)
		rating = protowire.AppendString(rating, one.reviewer)
		rating = protowire.AppendTag(rating, ratingStars, protowire.VarintType)
		rating = protowire.AppendVarint(rating, one.stars)
		all = protowire.AppendTag(all, responseRatings, protowire.BytesType)
		all = protowire.AppendBytes(all, rating)
	}
	return all
}

func get(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	var request []byte
	if err := decode(&request); err != nil {
		return nil, err
	}
	answer := func(context.Context, any) (any, error) {
		message := response()
		return &message, nil
	}
	if intercept == nil {
		return answer(ctx, &request)
	}
	return intercept(ctx, &request, &grpc.UnaryServerInfo{FullMethod: "/bookinfo.Ratings/Get"}, answer)
}

func serve(address string) error {
	creds, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	tell := xds.ServingModeCallback(func(where net.Addr, now xds.ServingModeChangeArgs) {
		if now.Mode == connectivity.ServingModeServing {
			fmt.Printf("serving on %s\n", where)
		} else {
			fmt.Printf("not serving: %v\n", now.Err)
		}
	})
	server, err := xds.NewGRPCServer(grpc.Creds(creds), grpc.ForceServerCodec(wire{}), tell)
	if err != nil {
		return err
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bookinfo.Ratings",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Get", Handler: get}},
	}, struct{}{})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return server.Serve(listener)
}

func main() {
	address := "127.0.0.1:9081"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	log.Fatal(serve(address))
}
