// Names that C cannot have as they are.
func.func @named(%a: tensor<1xf32> {boostr.name = "int"}, %b: tensor<1xf32> {boostr.name = "my arg*/"},
                 %c: tensor<1xf32> {boostr.name = "x"}, %d: tensor<1xf32> {boostr.name = "x"},
                 %e: tensor<1xf32> {boostr.name = "2"}) -> tensor<1xf32> {
  return %a : tensor<1xf32>
}
