package eventhub

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// captureSchema is that of Event Hubs' capture, as Microsoft documents it.
const captureSchema = `{"type":"record","name":"EventData","namespace":"Microsoft.ServiceBus.Messaging","fields":[{"name":"SequenceNumber","type":"long"},{"name":"Offset","type":"string"},{"name":"EnqueuedTimeUtc","type":"string"},{"name":"SystemProperties","type":{"type":"map","values":["long","double","string","bytes"]}},{"name":"Properties","type":{"type":"map","values":["long","double","string","bytes","null"]}},{"name":"Body","type":["null","bytes"]}]}`

const syncMarker = "sixteen bytes ok"

func long(b []byte, n int64) []byte {
	return binary.AppendUvarint(b, uint64(n<<1)^uint64(n>>63))
}

func str(b []byte, s string) []byte { return append(long(b, int64(len(s))), s...) }

// header is a file's head.
func header(schema, codec string) []byte {
	b := long([]byte(magic), 2)
	b = str(str(b, "avro.codec"), codec)
	b = str(str(b, "avro.schema"), schema)
	return append(long(b, 0), syncMarker...)
}

// datum is a message.
func datum(b []byte, sequence int64, enqueued, body string) []byte {
	b = str(str(long(b, sequence), "4294967296"), enqueued)
	b = long(b, -2) // a block of the map with its size before it
	inner := long(str(nil, "x-opt-sequence-number"), 0)
	inner = long(inner, sequence)
	inner = str(long(str(inner, "x-opt-enqueued-time"), 2), enqueued)
	b = append(long(b, int64(len(inner))), inner...)
	b = long(b, 0)
	b = long(b, 1) // and one without
	b = long(str(b, "nothing"), 4)
	b = long(b, 0)
	if body == "" {
		return long(b, 0)
	}
	return str(long(b, 1), body)
}

// framed is a block of so many messages.
func framed(t testing.TB, codec string, count int64, data []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	switch codec {
	case "deflate":
		w, err := flate.NewWriter(&z, 6)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data = z.Bytes()
	case "snappy":
		data = append(snappy.Encode(nil, data), 0, 0, 0, 0)
	case "zstandard":
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		data = w.EncodeAll(data, nil)
	}
	b := long(long(nil, count), int64(len(data)))
	return append(append(b, data...), syncMarker...)
}

const (
	activity = `{"records":[{"time":"2026-11-22T13:05:01.5Z","resourceId":"/SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD","operationName":"MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/LISTCLUSTERADMINCREDENTIAL/ACTION","category":"Administrative","resultType":"Success","callerIpAddress":"203.0.113.7","identity":{"claims":{"appid":"app-1","name":"mallory"}},"correlationId":"c-1"},{"time":"2026-11-22T13:05:02Z","category":"AZFWNetworkRule","resourceId":"/x","properties":{"Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":41000,"DestinationIp":"203.0.113.9","DestinationPort":4444,"Action":"Deny"}},{"time":"no","category":"Administrative","resourceId":"/x"}]}`
	noon     = "11/22/2026 1:05:03 PM"
)

// capture is a file of every kind of message.
func capture(t testing.TB, codec string) []byte {
	t.Helper()
	var a, b []byte
	a = datum(a, 1, noon, activity)
	a = datum(a, 2, noon, `{"app":"shop","msg":"user mallory logged in"}`)
	a = datum(a, 3, noon, "Nov 22 13:05:01 web-0 sshd[41]: Accepted password for root from 203.0.113.9 port 50514 ssh2")
	a = datum(a, 4, noon, "")
	b = datum(b, 5, "2026-11-22T13:05:05.123Z", "plain\x1b[31m text")
	b = datum(b, 6, noon, "\x00\x01\xff")
	b = datum(b, 7, "soon", "text")
	b = datum(b, 8, noon, `{"records":[{"time":"2026-11-22T13:05:08Z","category":"kube-audit","resourceId":"/SUBSCRIPTIONS/1/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD","properties":{"log":"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"a0000000-0000-4000-8000-000000000011\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/api/v1/namespaces/shop/secrets/db\",\"verb\":\"get\",\"user\":{\"username\":\"mallory\"},\"objectRef\":{\"resource\":\"secrets\",\"namespace\":\"shop\",\"name\":\"db\"},\"responseStatus\":{\"code\":200},\"requestReceivedTimestamp\":\"2026-11-22T13:05:08Z\",\"stageTimestamp\":\"2026-11-22T13:05:08.1Z\"}"}}]}`)
	b = datum(b, 9, noon, `{"records":[{"time":"cut`)
	return bytes.Join([][]byte{header(captureSchema, codec), framed(t, codec, 4, a), framed(t, codec, 0, nil), framed(t, codec, 5, b)}, nil)
}
