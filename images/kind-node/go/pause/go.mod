module steadfit.dev/images/kind-node/pause

go 1.26.0
