package remote

// A place is a directory of a tree that is being copied. It remembers the way
// from its parent, so that its folder can be closed and opened again: a copy keeps
// few of them open, whatever the tree's size and depth.
type place struct {
	up   *place  // nil for a top
	leaf string  // its name in up
	path string  // of a top: as openPath takes it
	dir  *folder // nil while closed
	ino  uint64  // which directory it was when it was first open, 0 if never
}

// places keeps the folders of the latest places open.
type places struct {
	open []*place // oldest first
}

const maxOpenPlaces = 64

// folder returns p's folder, which stays open until the next call.
func (c *places) folder(p *place) (*folder, error) {
	if p.dir != nil {
		return p.dir, nil
	}
	dir, err := c.reach(p)
	if err != nil {
		return nil, err
	}
	if err := p.recognize(dir); err != nil {
		dir.close()
		return nil, err
	}
	c.keep(p, dir)
	return dir, nil
}

func (c *places) reach(p *place) (*folder, error) {
	if p.up == nil {
		return openPath(p.path)
	}
	up, err := c.folder(p.up)
	if err != nil {
		return nil, err
	}
	return up.open(p.leaf)
}

// recognize refuses a directory that was put in the place of the one that was
// open under this name before.
func (p *place) recognize(dir *folder) error {
	info, err := dir.lstat(".")
	if err != nil {
		return err
	}
	if p.ino != 0 && p.ino != info.ino {
		return errReplaced
	}
	p.ino = info.ino
	return nil
}

// keep remembers that p is open, and closes the oldest if they are too many.
func (c *places) keep(p *place, dir *folder) {
	p.dir = dir
	if len(c.open) == maxOpenPlaces {
		c.open[0].shut()
		c.open = append(c.open[:0], c.open[1:]...)
	}
	c.open = append(c.open, p)
}

func (p *place) shut() {
	if p.dir != nil {
		p.dir.close()
		p.dir = nil
	}
}

// drop closes p, which is not needed any more.
func (c *places) drop(p *place) {
	for i, q := range c.open {
		if q == p {
			c.open = append(c.open[:i], c.open[i+1:]...)
			break
		}
	}
	p.shut()
}

func (c *places) closeAll() {
	for _, p := range c.open {
		p.shut()
	}
	c.open = nil
}
