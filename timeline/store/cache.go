package store

import (
	"container/list"
	"sync"
)

// cache keeps what was decoded, up to a number of bytes; what was used least
// recently goes first.
type cache struct {
	mu     sync.Mutex
	limit  int
	size   int
	recent *list.List
	items  map[cacheKey]*list.Element
}

// cacheKey names a dictionary, or with a filter a filter's answer.
type cacheKey struct {
	segment, leaf int
	filter        string
}

type cacheItem struct {
	key  cacheKey
	val  any
	size int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, recent: list.New(), items: map[cacheKey]*list.Element{}}
}

// cached gives what is kept under a key, or makes it. Two that need the same at
// the same time may both make it.
func cached[T any](c *cache, key cacheKey, make func() (T, int, error)) (T, error) {
	c.mu.Lock()
	if e, ok := c.items[key]; ok {
		c.recent.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*cacheItem).val.(T), nil
	}
	c.mu.Unlock()
	v, size, err := make()
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[key]; ok {
		return e.Value.(*cacheItem).val.(T), nil
	}
	c.items[key] = c.recent.PushFront(&cacheItem{key, v, size})
	c.size += size
	for c.size > c.limit && c.recent.Len() > 1 {
		c.drop(c.recent.Back())
	}
	return v, nil
}

// forget drops the dictionaries of a segment.
func (c *cache) forget(segment int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.items {
		if key.segment == segment && key.filter == "" {
			c.drop(e)
		}
	}
}

func (c *cache) drop(e *list.Element) {
	item := c.recent.Remove(e).(*cacheItem)
	delete(c.items, item.key)
	c.size -= item.size
}
