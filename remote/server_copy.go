package remote

func (call *serverCall) get(m *message, list []string) ending { return refusal(125, "not yet") }
func (call *serverCall) put(m *message, list []string) ending { return refusal(125, "not yet") }
