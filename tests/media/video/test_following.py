import numpy as np
import pytest
from scenes import scene

from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector
from sr_deepfake.media.faces import FaceFinder
from sr_deepfake.media.video.following import CROWD, EVERY, Following


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
    made = []
    for number in range(count):
        frame = np.full((90, 160, 3), scene, np.uint8)
        frame[0, 0] = number
        made.append(frame)
    return made


def test_every_fifth_frame_is_searched_whole_and_the_others_around_the_faces():
    detector = Scripted([[face(10 + 2 * number)] for number in range(12)])
    follow = Following(FaceFinder(detector))
    frames = frames_of(12)
    found = [*follow(frames[:3]), *follow(frames[3:])]
    assert detector.searches == [("around" if number % EVERY else "all", number) for number in range(12)]
    assert found == FaceFinder(detector)(frames)
    assert follow.searched == 3


def test_frames_without_faces_are_not_searched_until_the_next_whole_one():
    detector = Scripted([[]] * 2 + [[face(30)]] * 8)
    follow = Following(FaceFinder(detector))
    counts = [len(found.crops) for found in follow(frames_of(10))]
    assert counts == [0] * EVERY + [1] * 5  # it appears in frame 2 and is met in frame 5
    assert [search for search in detector.searches if search[0] == "all"] == [("all", 0), ("all", 5)]


def test_a_lost_face_makes_the_frame_be_searched_whole():
    detector = Scripted([[face(10), face(90)], [face(10), face(90)], [face(10)], [face(10)]])
    follow = Following(FaceFinder(detector))
    assert [len(found.crops) for found in follow(frames_of(4))] == [2, 2, 1, 1]
    assert detector.searches == [
        ("all", 0), ("around", 1), ("around", 2), ("all", 2), ("around", 3),
    ]  # fmt: skip


def test_another_face_in_the_place_of_a_lost_one_is_no_reason_to_stop():
    detector = Scripted([[face(10), face(90)], [face(10), face(12)], [face(10), face(12)]])
    follow = Following(FaceFinder(detector))
    follow(frames_of(2))
    assert detector.searches == [("all", 0), ("around", 1), ("all", 1)]


def test_a_crowd_is_searched_whole():
    detector = Scripted([[face(3 * number) for number in range(CROWD + 1)]] * 4)
    follow = Following(FaceFinder(detector))
    follow(frames_of(4))
    assert detector.searches == [("all", number) for number in range(4)]


def test_a_cut_makes_the_frame_be_searched_whole():
    detector = Scripted([[face(10)], [face(10)], [face(90)], [face(90)]])
    follow = Following(FaceFinder(detector))
    frames = frames_of(2) + frames_of(4, scene=200)[2:]
    assert [found.crops[0].left for found in follow(frames)][1:3] == [10, 90]
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


def test_around_nothing_and_outside_the_frame_nothing_is_found():
    detector = FaceDetector()
    assert detector.around(scene(), []) == []
    assert detector.around(scene(), [Detection((5000.0, 10.0, 5050.0, 60.0), 0.9)]) == []


def overlap_of(first, second):
    width, height = (max(min(first[i + 2], second[i + 2]) - max(first[i], second[i]), 0) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)
