module landline/bench

go 1.26.0
