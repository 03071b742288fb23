package columnar

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"amber/timeline/source/jsonscan"
)

func (w *writer) scalar(n *node) {
	at := w.at[n.leaf]
	w.at[n.leaf]++
	if at >= len(w.values[n.leaf]) {
		w.out = append(w.out, "null"...)
		return
	}
	v := w.values[n.leaf][at]
	switch v.Kind() {
	case parquet.Boolean:
		w.out = strconv.AppendBool(w.out, v.Boolean())
	case parquet.Int32:
		w.out = strconv.AppendInt(w.out, int64(v.Int32()), 10)
	case parquet.Int64:
		w.integer(n, v.Int64())
	case parquet.Int96:
		// Days of the Julian calendar and nanoseconds, as Spark and Hive write times.
		i := v.Int96()
		nanos := int64(i[1])<<32 | int64(i[0])
		w.time(time.Unix((int64(i[2])-2440588)*86400, nanos))
	case parquet.Float:
		w.float(float64(v.Float()))
	case parquet.Double:
		w.float(v.Double())
	default:
		w.text(v.ByteArray())
	}
}

func (w *writer) integer(n *node, v int64) {
	l := n.typ.LogicalType()
	if l == nil {
		w.out = strconv.AppendInt(w.out, v, 10)
		return
	}
	stamp, ok := l.Value.(*format.TimestampType)
	if !ok {
		w.out = strconv.AppendInt(w.out, v, 10)
		return
	}
	switch stamp.Unit.Value.(type) {
	case *format.MilliSeconds:
		w.time(time.UnixMilli(v))
	case *format.MicroSeconds:
		w.time(time.UnixMicro(v))
	default:
		w.time(time.Unix(0, v))
	}
}

func (w *writer) time(t time.Time) {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		w.out = append(w.out, "null"...)
		return
	}
	w.out = append(w.out, '"')
	w.out = t.AppendFormat(w.out, time.RFC3339Nano)
	w.out = append(w.out, '"')
}

func (w *writer) float(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		w.out = append(w.out, "null"...)
		return
	}
	w.out = strconv.AppendFloat(w.out, v, 'g', -1, 64)
}

// text writes a string; bytes that are none in base64.
func (w *writer) text(b []byte) {
	if utf8.Valid(b) {
		w.out = jsonscan.Quoted(w.out, b)
		return
	}
	w.out = append(w.out, '"')
	w.out = base64.StdEncoding.AppendEncode(w.out, b)
	w.out = append(w.out, '"')
}
