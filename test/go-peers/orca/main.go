// A server of grpc-go that reports its load, with each answer and out of band.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"
)

func main() {
	cpu := flag.Float64("cpu", 0, "its utilization of CPUs")
	application := flag.Float64("application", 0, "its utilization as it sees it itself")
	qps := flag.Float64("qps", 0, "requests in a second")
	eps := flag.Float64("eps", 0, "errors in a second")
	isOutOfBand := flag.Bool("oob", false, "whether it has the service of load reports, in the place of trailers")
	flag.Parse()
	recorder := orca.NewServerMetricsRecorder()
	recorder.SetCPUUtilization(*cpu)
	recorder.SetApplicationUtilization(*application)
	recorder.SetQPS(*qps)
	recorder.SetEPS(*eps)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	var options []grpc.ServerOption
	if !*isOutOfBand {
		options = append(options, orca.CallMetricsServerOption(recorder), grpc.ChainUnaryInterceptor(report))
	}
	server := grpc.NewServer(options...)
	if *isOutOfBand {
		if err := orca.Register(server, orca.ServiceOptions{ServerMetricsProvider: recorder}); err != nil {
			fail(err)
		}
	}
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		// It ends with whoever started it.
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}()
	_ = server.Serve(listener)
}

// Trailers have a report only of a call whose handler has asked for its recorder.
func report(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	orca.CallMetricsRecorderFromContext(ctx)
	return handler(ctx, request)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
