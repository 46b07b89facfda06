//go:build unix && !linux

package remote

// start starts the command. Without pidfds the end is known only by reaping, so
// reap finds it done, and a signal sent between the two may find no group.
func (p *process) start() error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.state, _ = p.cmd.Process.Wait() // without a state, reap says so
		close(p.ended)
	}()
	return nil
}

// endWithParent cannot be had here: the command of a keeper that was killed meets
// closed pipes, and no more.
func (p *process) endWithParent() {}

// There are no control groups here, and no way to tell whose a process is.

func makeCgroup(string) string                       { return "" }
func killCgroup(string)                              {}
func killJob(string)                                 {}
func (p *process) joinCgroup(string) (func(), error) { return func() {}, nil }
