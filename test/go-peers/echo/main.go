// A gRPC process of grpc-go's: a server that answers with who called it, or a client that calls at each line it reads.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/xds"

	"inmesh.test/peers/raw"
)

const method = "/echo.Echo/Say"

func say(event string, text string) {
	line, _ := json.Marshal(map[string]string{"event": event, "text": text})
	fmt.Println(string(line))
}

func caller(ctx context.Context) string {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return "nobody"
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || info.SPIFFEID == nil {
		return "nobody"
	}
	return info.SPIFFEID.String()
}

func handle(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	var request []byte
	if err := decode(&request); err != nil {
		return nil, err
	}
	answer := func(ctx context.Context, _ any) (any, error) {
		text := []byte(caller(ctx))
		return &text, nil
	}
	if intercept == nil {
		return answer(ctx, &request)
	}
	return intercept(ctx, &request, &grpc.UnaryServerInfo{FullMethod: method}, answer)
}

func serve(address string) error {
	creds, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	mode := xds.ServingModeCallback(func(_ net.Addr, now xds.ServingModeChangeArgs) {
		if now.Mode == connectivity.ServingModeServing {
			say("serving", "")
			return
		}
		say("away", fmt.Sprint(now.Err))
	})
	server, err := xds.NewGRPCServer(grpc.Creds(creds), mode, grpc.ForceServerCodec(raw.Codec{}))
	if err != nil {
		return err
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "echo.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: handle}},
	}, struct{}{})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return server.Serve(listener)
}

func call(target string) error {
	creds, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	client, err := grpc.NewClient("xds:///"+target, grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw.Codec{})))
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		var answer []byte
		request := []byte{}
		if err := client.Invoke(ctx, method, &request, &answer); err != nil {
			say("failed", err.Error())
		} else {
			say("answered", string(answer))
		}
		cancel()
	}
	return nil
}

func main() {
	run := map[string]func(string) error{"serve": serve, "call": call}[os.Args[1]]
	if err := run(os.Args[2]); err != nil {
		say("error", err.Error())
		os.Exit(1)
	}
}
