package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"amber/evidence/durable"
	"amber/evidence/remote"
)

// piece is a part of a large object.
type piece struct {
	number       int // from 1
	offset, size int64
	digest       string // SHA-256 in hex
}

// parts cuts a blob into its parts and hashes them; that of the whole must be
// the blob's.
func (s *Client) parts(b remote.Blob) ([]piece, error) {
	f, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	whole := remote.Checked(f, b, remote.ErrChanged)
	var list []piece
	for at := int64(0); at < b.Size; at += s.c.PartSize {
		p := piece{number: len(list) + 1, offset: at, size: min(s.c.PartSize, b.Size-at)}
		sum := sha256.New()
		if _, err := io.CopyN(sum, whole, p.size); err != nil {
			return nil, err
		}
		p.digest = hex.EncodeToString(sum.Sum(nil))
		list = append(list, p)
	}
	return list, nil
}

// composed is the checksum that the storage gives to an object of these parts.
func composed(list []piece) string {
	sum := sha256.New()
	for _, p := range list {
		raw, _ := hex.DecodeString(p.digest)
		sum.Write(raw)
	}
	return base64.StdEncoding.EncodeToString(sum.Sum(nil))
}

// putParts stores a large blob part by part, and goes on where an upload of it
// was cut off.
func (s *Client) putParts(ctx context.Context, key string, b remote.Blob) error {
	list, err := s.parts(b)
	if err != nil {
		return err
	}
	upload, there, err := s.begun(ctx, key)
	if err != nil {
		return err
	}
	if upload == "" {
		if upload, err = s.begin(ctx, key); err != nil {
			return err
		}
	}
	f, err := b.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	var done completed
	for _, p := range list {
		have, ok := there[p.number]
		if !ok || have.Size != p.size || have.Checksum != checksum(p.digest) {
			if have.ETag, err = s.putPart(ctx, key, upload, f, p); err != nil {
				return err
			}
		}
		done.Parts = append(done.Parts, donePart{Number: p.number, ETag: have.ETag, Checksum: checksum(p.digest)})
	}
	return s.complete(ctx, key, upload, done)
}

// begin opens an upload of parts.
func (s *Client) begin(ctx context.Context, key string) (string, error) {
	header := http.Header{"X-Amz-Checksum-Algorithm": {"SHA256"}, "Content-Type": {"application/octet-stream"}}
	s.c.Lock.ask(header)
	var x struct {
		ID string `xml:"UploadId"`
	}
	durable.Point("before create upload")
	err := s.answer(ctx, request{op: "CreateMultipartUpload", method: http.MethodPost, key: key, query: url.Values{"uploads": {""}}, header: header}, &x)
	durable.Point("after create upload")
	if err == nil && x.ID == "" {
		err = fmt.Errorf("CreateMultipartUpload %s: the storage names no upload", key)
	}
	return x.ID, err
}

// storedPart is a part that the storage has.
type storedPart struct {
	Number   int    `xml:"PartNumber"`
	Size     int64  `xml:"Size"`
	ETag     string `xml:"ETag"`
	Checksum string `xml:"ChecksumSHA256"`
}

// begun finds the upload of an object that was begun last, and its parts. An
// upload that was begun with another lock is not gone on with: the lock is
// given to it when it begins.
func (s *Client) begun(ctx context.Context, key string) (string, map[int]storedPart, error) {
	var x struct {
		Upload []struct {
			Key       string
			UploadID  string `xml:"UploadId"`
			Initiated string
		}
	}
	err := s.answer(ctx, request{op: "ListMultipartUploads", method: http.MethodGet, query: url.Values{"uploads": {""}, "prefix": {key}}}, &x)
	if err != nil {
		return "", nil, err
	}
	id, last := "", ""
	for _, u := range x.Upload {
		if u.Key == key && u.Initiated >= last {
			id, last = u.UploadID, u.Initiated
		}
	}
	if id == "" || s.c.Lock != (Lock{}) {
		return "", nil, nil
	}
	there, err := s.listParts(ctx, key, id)
	return id, there, err
}

func (s *Client) listParts(ctx context.Context, key, upload string) (map[int]storedPart, error) {
	there := map[int]storedPart{}
	marker := 0
	for {
		var x struct {
			Part                 []storedPart
			IsTruncated          bool
			NextPartNumberMarker int
		}
		q := url.Values{"uploadId": {upload}, "part-number-marker": {strconv.Itoa(marker)}}
		if err := s.answer(ctx, request{op: "ListParts", method: http.MethodGet, key: key, query: q}, &x); err != nil {
			return nil, err
		}
		for _, p := range x.Part {
			there[p.Number] = p
		}
		if !x.IsTruncated || x.NextPartNumberMarker <= marker {
			return there, nil
		}
		marker = x.NextPartNumberMarker
	}
}

func (s *Client) putPart(ctx context.Context, key, upload string, f io.ReaderAt, p piece) (string, error) {
	of := remote.Blob{Digest: p.digest, Size: p.size}
	body := remote.Watch(remote.Checked(io.NewSectionReader(f, p.offset, p.size), of, remote.ErrChanged))
	durable.Point("before put part")
	resp, err := s.do(ctx, request{
		op: "UploadPart", method: http.MethodPut, key: key, size: p.size, body: body, payload: p.digest,
		query:  url.Values{"uploadId": {upload}, "partNumber": {strconv.Itoa(p.number)}},
		header: http.Header{checksumName: {checksum(p.digest)}},
	})
	durable.Point("after put part")
	if wrong := body.Wrong(); wrong != nil {
		return "", wrong
	}
	if err != nil {
		return "", err
	}
	return resp.Header.Get("ETag"), resp.Body.Close()
}

type completed struct {
	XMLName xml.Name   `xml:"CompleteMultipartUpload"`
	Parts   []donePart `xml:"Part"`
}

type donePart struct {
	Number   int    `xml:"PartNumber"`
	ETag     string `xml:"ETag"`
	Checksum string `xml:"ChecksumSHA256"`
}

func (s *Client) complete(ctx context.Context, key, upload string, done completed) error {
	r, err := request{op: "CompleteMultipartUpload", method: http.MethodPost, key: key, query: url.Values{"uploadId": {upload}}}.withXML(done)
	if err != nil {
		return err
	}
	r.header.Del(checksumName) // here it would be that of the object
	var x struct{ ETag string }
	durable.Point("before complete upload")
	defer durable.Point("after complete upload")
	return s.answer(ctx, r, &x)
}
