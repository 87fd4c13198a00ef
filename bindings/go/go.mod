module github.com/backsight/backsight/bindings/go

go 1.19
