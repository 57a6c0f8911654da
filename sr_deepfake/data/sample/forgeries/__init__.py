"""The five stand-in forgeries of the sample, one a family of FaceForensics++'s methods.

Each is a function `(target_frames, target_landmarks, source_frames, source_landmarks) -> frames` on uint8 RGB
clips and landmarks in pixels. They are classical image processing, made to be plausible and to leave the kind
of trace that their family leaves; they are not the methods whose names they bear.
"""

from collections.abc import Callable

from sr_deepfake.data.sample.forgeries.deepfakes import deepfakes
from sr_deepfake.data.sample.forgeries.face2face import face2face
from sr_deepfake.data.sample.forgeries.faceshifter import faceshifter
from sr_deepfake.data.sample.forgeries.faceswap import faceswap
from sr_deepfake.data.sample.forgeries.neural_textures import neural_textures
from sr_deepfake.data.sample.geometry import Points
from sr_deepfake.data.sample.people import Frames

Forgery = Callable[[Frames, Points, Frames, Points], Frames]

FORGERIES: dict[str, Forgery] = {
    "Deepfakes": deepfakes,
    "Face2Face": face2face,
    "FaceSwap": faceswap,
    "FaceShifter": faceshifter,
    "NeuralTextures": neural_textures,
}
