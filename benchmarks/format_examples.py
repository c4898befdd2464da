"""How a program opens each format: what docs/formats.md shows. The Python ones are run by `benchmarks.formats`."""

BEFORE = """\
import numpy as np
from PIL import Image

image = Image.open("photo.jpg").convert("RGB").resize((512, 512))
photo = np.ascontiguousarray(np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1)  # [1, 3, 512, 512]
"""
AFTER = """\
levels = ((anime[0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
Image.fromarray(levels).save("anime.png")
"""
# FILE stands for the name of the file
PYTHON = {
    "onnx": """\
import onnxruntime

session = onnxruntime.InferenceSession("FILE")
(anime,) = session.run(["anime"], {"photo": photo})
""",
    "openvino": """\
import openvino

model = openvino.Core().compile_model("FILE", "CPU")
anime = model({"photo": photo})["anime"]
""",
    "litert": """\
from ai_edge_litert.interpreter import Interpreter

draw = Interpreter("FILE").get_signature_runner("serving_default")
anime = draw(photo=np.ascontiguousarray(photo.transpose(0, 2, 3, 1)))["anime"].transpose(0, 3, 1, 2)
""",
    "ncnn": """\
import ncnn

network = ncnn.Net()
network.load_param("FILE")
network.load_model("FILE".replace(".param", ".bin"))
with network.create_extractor() as work:
    work.input("in0", ncnn.Mat(photo[0]).clone())
    anime = np.array(work.extract("out0")[1])[None]
""",
    "torchscript": """\
import torch

anime = torch.jit.load("FILE")(torch.from_numpy(photo)).numpy()
""",
    "executorch": """\
import torch
from executorch.runtime import Runtime

method = Runtime.get().load_program("FILE").load_method("forward")
anime = method.execute([torch.from_numpy(photo)])[0].numpy()
""",
}
KOTLIN = """\
// build.gradle.kts: implementation("com.google.ai.edge.litert:litert:<version>")
val model = Interpreter(File(filesDir, "shinkai-512x512.tflite"), Interpreter.Options().setNumThreads(4))
val photo = ByteBuffer.allocateDirect(4 * 512 * 512 * 3).order(ByteOrder.nativeOrder())
for (pixel in pixels) { // IntArray of a 512 x 512 bitmap, row by row
    for (shift in intArrayOf(16, 8, 0)) photo.putFloat((pixel shr shift and 255) / 127.5f - 1f)
}
val anime = ByteBuffer.allocateDirect(photo.capacity()).order(ByteOrder.nativeOrder())
model.run(photo.rewind(), anime) // float32 [1, 512, 512, 3] in [-1, 1]
"""
SWIFT = """\
// shinkai.mlpackage in the project; Xcode makes the class
let model = try shinkai(configuration: MLModelConfiguration())
let anime = try model.prediction(photo: photo).anime  // CVPixelBuffer in, CVPixelBuffer out, sides multiples of 4
"""
