package ip

// Changed returns a channel that is closed when an address, a route or a name server has come or gone, or an
// address has proved to be ours, after the call.
func (s *Stack) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news == nil {
		s.news = make(chan struct{})
	}
	return s.news
}

// changed wakes those who wait for a change.
func (s *Stack) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changedLocked()
}

func (s *Stack) changedLocked() {
	if s.news != nil {
		close(s.news)
		s.news = nil
	}
}
