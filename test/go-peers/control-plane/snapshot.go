package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// What one group of nodes is served, as the admin port takes it.
type given struct {
	// Version of every type; without it the number of the last change of that type.
	Version string `json:"version"`
	// Each `{"@type": …, fields}` in protobuf JSON, or `{"type_url": …, "value": base64}`; `$ttl` (seconds) makes the
	// server wrap it in discovery.v3.Resource, `$unknown` (base64) is put behind its bytes.
	Resources []json.RawMessage `json:"resources"`
}

type marks struct {
	Type    string  `json:"@type"`
	TypeUrl string  `json:"type_url"`
	Value   []byte  `json:"value"`
	Ttl     float64 `json:"$ttl"`
	Unknown []byte  `json:"$unknown"`
}

func read(raw json.RawMessage) (string, types.ResourceWithTTL, error) {
	var mark marks
	if err := json.Unmarshal(raw, &mark); err != nil {
		return "", types.ResourceWithTTL{}, err
	}
	packed := &anypb.Any{TypeUrl: mark.TypeUrl, Value: mark.Value}
	if mark.Type != "" {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return "", types.ResourceWithTTL{}, err
		}
		delete(fields, "$ttl")
		delete(fields, "$unknown")
		plain, _ := json.Marshal(fields)
		if err := protojson.Unmarshal(plain, packed); err != nil {
			return "", types.ResourceWithTTL{}, err
		}
	}
	message, err := packed.UnmarshalNew()
	if err != nil {
		return "", types.ResourceWithTTL{}, err
	}
	message.ProtoReflect().SetUnknown(append(message.ProtoReflect().GetUnknown(), mark.Unknown...))
	made := types.ResourceWithTTL{Resource: message}
	if mark.Ttl > 0 {
		ttl := time.Duration(mark.Ttl * float64(time.Second))
		made.TTL = &ttl
	}
	return packed.TypeUrl, made, nil
}

// A type whose resources did not change keeps its version, as with any control plane that compares.
func snapshotOf(want given, number int, before *cache.Snapshot) (*cache.Snapshot, error) {
	lists := map[string][]types.ResourceWithTTL{}
	for at, raw := range want.Resources {
		typ, made, err := read(raw)
		if err != nil {
			return nil, fmt.Errorf("resources[%d]: %w", at, err)
		}
		lists[typ] = append(lists[typ], made)
	}
	version := want.Version
	if version == "" {
		version = strconv.Itoa(number)
	}
	next, err := cache.NewSnapshotWithTTLs(version, lists)
	if err != nil {
		return nil, err
	}
	for at := range next.Resources {
		if want.Version == "" && before != nil && before.Resources[at].Version != "" && isSame(before.Resources[at], next.Resources[at]) {
			next.Resources[at].Version = before.Resources[at].Version
		} else {
			next.Resources[at].Version = version
		}
	}
	return next, nil
}

func isSame(one, other cache.Resources) bool {
	if len(one.Items) != len(other.Items) {
		return false
	}
	for name, item := range one.Items {
		twin, ok := other.Items[name]
		if !ok || !bytes.Equal(bytesOf(item), bytesOf(twin)) {
			return false
		}
	}
	return true
}

func bytesOf(item types.ResourceWithTTL) []byte {
	out, _ := proto.MarshalOptions{Deterministic: true}.Marshal(item.Resource)
	return fmt.Appendf(out, "%v", item.TTL)
}
