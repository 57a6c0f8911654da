import numpy as np
import pytest
from scenes import scene

from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector
from sr_deepfake.media.faces import CROWD, EVERY, FaceFinder, Following


def face(left, top=20.0, side=48.0, probability=0.99):
    return Detection((left, top, left + side, top + side), probability)


class Scripted:
    """Faces of each frame, by the grey of its first pixel; notes how each frame was searched."""

    def __init__(self, faces):
        self.faces = faces
        self.searches = []

    def all(self, frames):
        self.searches.append(("all", int(frames[0][0, 0, 0])))
        return [self.faces[int(frame[0, 0, 0])] for frame in frames]

    def around(self, frame, known):
        number = int(frame[0, 0, 0])
        self.searches.append(("around", number))
        return [each for each in self.faces[number] if any(abs(each.box[0] - old.box[0]) < 10 for old in known)]


def frames_of(count, scene=100):
    frames = np.full((count, 90, 160, 3), scene, np.uint8)
    frames[:, 0, 0] = np.arange(count)[:, None]
    return list(frames)


def test_every_fifth_frame_is_searched_whole_and_the_others_around_the_faces():
    detector = Scripted([[face(10 + 2 * number)] for number in range(12)])
    follow = Following(FaceFinder(detector))
    frames = frames_of(12)
    found = [*follow(frames[:3]), *follow(frames[3:])]
    assert detector.searches == [("around" if number % EVERY else "all", number) for number in range(12)]
    assert found == FaceFinder(detector)(frames)


@pytest.mark.parametrize(
    ("faces", "searches", "lefts"),
    [
        # Without faces, no frame is searched until the next whole one: one appears in frame 2 and is met in frame 5.
        ([[]] * 2 + [[30]] * 5, [("all", 0), ("all", 5), ("around", 6)], [[]] * 5 + [[30]] * 2),
        # A lost face makes the frame be searched whole,
        (
            [[10, 90], [10, 90], [10], [10]],
            [("all", 0), ("around", 1), ("around", 2), ("all", 2), ("around", 3)],
            [[10, 90], [10, 90], [10], [10]],
        ),
        # and so does another face in its place.
        ([[10, 90], [10, 12]], [("all", 0), ("around", 1), ("all", 1)], [[10, 90], [10, 12]]),
        ([[*range(0, 3 * CROWD + 1, 3)]] * 2, [("all", 0), ("all", 1)], [[*range(0, 3 * CROWD + 1, 3)]] * 2),
    ],
)
def test_what_makes_a_frame_be_searched_whole(faces, searches, lefts):
    detector = Scripted([[face(left) for left in frame] for frame in faces])
    found = Following(FaceFinder(detector, margin=0))(frames_of(len(faces)))
    assert detector.searches == searches
    assert [[crop.left for crop in each.crops] for each in found] == lefts


def test_a_cut_makes_the_frame_be_searched_whole():
    detector = Scripted([[face(10)], [face(10)], [face(90)], [face(90)]])
    found = Following(FaceFinder(detector))(frames_of(2) + frames_of(4, scene=200)[2:])
    assert [each.crops[0].left for each in found][1:3] == [10, 90]
    assert [kind for kind, _ in detector.searches] == ["all", "around", "all", "around"]


PEOPLE = [
    (("030", 10, 20, 200), ("031", 250, 120, 150)),
    (("031", 5, 5, 290),),
    (("030", 20, 30, 90), ("031", 120, 30, 90), ("030", 220, 30, 90)),
]


@pytest.mark.parametrize("move", [0, 9])
@pytest.mark.parametrize("people", PEOPLE)
def test_around_a_known_face_is_found_what_the_whole_search_finds(people, move):
    detector = FaceDetector(share=1 / 20)
    frame = scene(*people)
    whole = detector.all([frame])[0]
    assert len(whole) == len(people)
    known = [Detection(tuple(edge + move for edge in each.box), each.probability) for each in whole]
    near = detector.around(frame, known)
    assert len(near) == len(whole)
    assert min(overlap_of(a.box, b.box) for a, b in zip(whole, near, strict=True)) > 0.9


@pytest.mark.parametrize("left", [-80, -40, 300, 360])
@pytest.mark.parametrize("side", [90, 200])
def test_faces_that_leave_the_frame_are_looked_for_as_long_as_they_are_in_it(side, left):
    """Also where hardly anything of the box is left, and where the box is larger than the frame."""
    detector = FaceDetector(share=1 / 20)
    frame = scene(("030", 100, 30, side))
    (whole,) = detector.all([frame])
    known = Detection((left, 60.0, left + side, 60.0 + 1.3 * side), 0.9)
    for each in detector.around(frame, [known, Detection((-900.0, -900.0, 900.0, 900.0), 0.9)]):
        assert overlap_of(each.box, whole[0].box) > 0.85


def test_outside_the_frame_nothing_is_found():
    assert FaceDetector().around(scene(), [Detection((5000.0, 10.0, 5050.0, 60.0), 0.9)]) == []


def overlap_of(first, second):
    width, height = (max(min(first[i + 2], second[i + 2]) - max(first[i], second[i]), 0) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)
