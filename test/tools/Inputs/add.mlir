func.func @add(%x: tensor<?x1024xf32>, %y: tensor<?x1024xf32>) -> tensor<?x1024xf32> {
  %sum = arith.addf %x, %y : tensor<?x1024xf32>
  return %sum : tensor<?x1024xf32>
}
