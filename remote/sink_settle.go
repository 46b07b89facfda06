package remote

// settle brings a written file to its place. The file is closed before it gets
// its name, because some file systems tell only then that they have no room.
func (k *sink) settle(in *incoming) error {
	dir, err := k.tree.places.folder(&in.dir.place)
	if err != nil {
		return err
	}
	if err := k.setMode(in); err != nil {
		return err
	}
	if err := k.trip("time"); err != nil {
		return err
	}
	if err := in.f.setTime(dir, in.temp, in.mtime); err != nil {
		return err
	}
	if k.durable {
		if err := k.sync(in); err != nil {
			return err
		}
	}
	if err := k.closeTemp(in); err != nil {
		return err
	}
	return k.rename(dir, in.temp, in.leaf)
}

// setMode sets the permissions if creation under the user's mask has not. What
// the mask lets pass is found out once a directory.
func (k *sink) setMode(in *incoming) error {
	if in.part == nil {
		if in.mode == in.dir.asIs && in.mode != 0 {
			return nil
		}
		info, err := in.f.stat()
		if err != nil {
			return err
		}
		if info.perm == in.mode {
			in.dir.asIs = in.mode
			return nil
		}
	}
	if err := k.trip("chmod"); err != nil {
		return err
	}
	return in.f.chmod(in.mode)
}

func (k *sink) sync(in *incoming) error {
	if err := k.trip("sync"); err != nil {
		return err
	}
	return in.f.sync()
}

func (k *sink) closeTemp(in *incoming) error {
	f := in.f
	in.f = nil
	if err := f.close(); err != nil {
		return err
	}
	return k.trip("close")
}

func (k *sink) rename(dir *folder, from, to string) error {
	if err := k.trip("rename"); err != nil {
		return err
	}
	return dir.rename(from, to)
}

// failFile says that a file failed of which nothing is there.
func (k *sink) failFile(w *wanted, err error) error {
	k.skip = w.n
	k.out.failed(w.n, w.name(), k.failed(w.name(), err))
	return k.out.flush() // at once, so that the source stops
}

// failNow says that the file at hand failed, and removes what is there of it.
func (k *sink) failNow(err error) error {
	w := k.now.wanted
	k.dropIncoming()
	return k.failFile(&w, err)
}

// dropIncoming removes what is there of the file at hand.
func (k *sink) dropIncoming() {
	in := k.now
	if in == nil {
		return
	}
	k.now = nil
	if in.f != nil {
		_ = in.f.close()
	}
	if dir, err := k.tree.places.folder(&in.dir.place); err == nil {
		_ = dir.remove(in.temp)
	}
	if in.part != nil {
		k.journal.dropped(in.part)
	}
}

// shelve keeps the file at hand for a later copy, if anything in it is sealed.
func (k *sink) shelve() {
	if k.now.part == nil || k.now.part.offset == 0 {
		k.dropIncoming()
		return
	}
	if k.now.f != nil {
		_ = k.now.f.close()
	}
	k.now = nil
}
