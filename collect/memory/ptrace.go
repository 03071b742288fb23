package memory

import "context"

func (s *subject) trace(ctx context.Context) (string, map[int]error) { return "", nil }
