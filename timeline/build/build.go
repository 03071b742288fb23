// Package build makes a timeline of logs and bundles: it finds them, keeps the
// raw files as evidence, reads each on all cores and accounts for every record.
package build
