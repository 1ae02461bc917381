// grpc-go's interop server, and its interop client: plain by address, or secure: by xDS with certificates of the mesh.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/xds"
)

type server interface {
	grpc.ServiceRegistrar
	Serve(net.Listener) error
}

func newServer(way string) (server, error) {
	if way == "plain" {
		return grpc.NewServer(), nil
	}
	creds, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return nil, err
	}
	return xds.NewGRPCServer(grpc.Creds(creds))
}

func serve(way string, address string) error {
	server, err := newServer(way)
	if err != nil {
		return err
	}
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		// It ends with whoever started it.
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}()
	return server.Serve(listener)
}

func dial(way string, target string) (*grpc.ClientConn, error) {
	if way == "plain" {
		return grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	creds, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return nil, err
	}
	return grpc.NewClient("xds:///"+target, grpc.WithTransportCredentials(creds))
}

// Each case ends the process where it fails, and says why.
func call(way string, target string) error {
	conn, err := dial(way, target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := testgrpc.NewTestServiceClient(conn)
	of := func(run func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func() {
		return func() { run(ctx, client, grpc.WaitForReady(true)) }
	}
	for _, one := range []struct {
		name string
		run  func()
	}{
		{"empty_unary", of(interop.DoEmptyUnaryCall)},
		{"large_unary", of(interop.DoLargeUnaryCall)},
		{"client_streaming", of(interop.DoClientStreaming)},
		{"server_streaming", of(interop.DoServerStreaming)},
		{"ping_pong", of(interop.DoPingPong)},
		{"empty_stream", of(interop.DoEmptyStream)},
		{"timeout_on_sleeping_server", of(interop.DoTimeoutOnSleepingServer)},
		{"cancel_after_begin", of(interop.DoCancelAfterBegin)},
		{"cancel_after_first_response", of(interop.DoCancelAfterFirstResponse)},
		{"custom_metadata", of(interop.DoCustomMetadata)},
		{"status_code_and_message", of(interop.DoStatusCodeAndMessage)},
		{"special_status_message", of(interop.DoSpecialStatusMessage)},
		{"unimplemented_method", func() { interop.DoUnimplementedMethod(ctx, conn) }},
		{"unimplemented_service", func() {
			interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
		}},
	} {
		one.run()
		fmt.Println(one.name)
	}
	return nil
}

func main() {
	run := map[string]func(string, string) error{"serve": serve, "call": call}[os.Args[1]]
	if err := run(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
