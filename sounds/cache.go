package sounds

import (
	"container/list"
	"sync"

	"vpbx/media"
)

// cache keeps what was used last.
type cache struct {
	most int64

	mu    sync.Mutex
	used  *list.List // of *cached, the latest in front
	byKey map[string]*list.Element
	bytes int64
}

type cached struct {
	key    string
	prompt *media.Prompt
	size   int64
}

func newCache(most int64) *cache {
	return &cache{most: most, used: list.New(), byKey: map[string]*list.Element{}}
}

func (c *cache) get(key string) *media.Prompt {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*cached).prompt
}

func (c *cache) put(key string, p *media.Prompt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] != nil {
		return
	}
	x := &cached{key, p, p.Bytes() + int64(len(key))}
	c.byKey[key] = c.used.PushFront(x)
	c.bytes += x.size
	for c.bytes > c.most && c.used.Len() > 1 {
		old := c.used.Remove(c.used.Back()).(*cached)
		delete(c.byKey, old.key)
		c.bytes -= old.size
	}
}
