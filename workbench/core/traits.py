"""What an operator, or one row of a mapping, is like: all that other parts know of it.

An operator's traits are stated where its rule is (`RuleBook.rule`); every op of a program carries
them, so that no check names an operator. A rule may state more of the single row that it makes.
"""

from __future__ import annotations

from enum import StrEnum


class Trait(StrEnum):
    """One thing that is true of an operator or of a row, and what is made of it."""

    # --- of a single row ---------------------------------------------------------------------

    #: It draws random numbers, which two frameworks never share: only shapes are compared.
    RANDOM = "random"
    #: The source computes something else than the operator means: not compared, and told.
    MISTAKEN = "mistaken"
    #: So does its kernel, and its reference comes from the formula, in other operators.
    SUBSTITUTED = "substituted"
    #: It holds a stored tensor that only a row edited by hand reads.
    ADDED = "added"

    # --- how results depend on operands ------------------------------------------------------

    #: Each element depends on the elements at its own place: probes take smaller operands.
    ELEMENTWISE = "elementwise"
    #: Moves numbers, adds them up or multiplies them by weights: a run shows all there is to see.
    LINEAR = "linear"
    #: Takes two operands alike: a diagnosis names the one that was dropped.
    BINARY = "binary"
    #: Hands on the elements that it reads: ids that pass it are ids still.
    KEEPS_ELEMENTS = "keeps_elements"
    #: Looks only at the shape of what it reads: a constant result is as it should be.
    SHAPE_ONLY = "shape_only"
    #: Makes a constant of its settings: it keeps its own rule though its elements are known.
    CONSTANT = "constant"
    #: Its results have bounds: outputs that sit there show a gap of the inputs.
    BOUNDED = "bounded"
    #: Adds up along an axis: a diagnosis tries other axes and the other end.
    RUNNING_SUM = "running_sum"
    #: Multiplies along an axis, likewise.
    RUNNING_PRODUCT = "running_product"

    # --- which numbers it may be given -------------------------------------------------------

    #: Takes any integers: probes give others than the run had.
    ANY_INTEGERS = "any_integers"
    #: Reads floats that must stay within the range of an integer: probes give no huge ones.
    NARROWING = "narrowing"
    #: Operands must fit each other, or nothing says what others give: probed on those of the run.
    CONSTRAINED = "constrained"
    #: Operands after the first are settings or labels: probes leave them alone.
    SETTINGS_AS_OPERANDS = "settings_as_operands"
    #: Looks rows up in a table by ids (roles IDS, TABLE): probes look all of them up.
    EMBEDDING = "embedding"
    #: Turns ids into vectors of zeros and a one: samples have at least two ids.
    ONE_HOT = "one_hot"

    # --- decisions ---------------------------------------------------------------------------

    #: Turns numbers into decisions: rounding before it can flip them.
    DECIDES = "decides"
    #: Chooses among equal numbers in an order that nothing fixes: probes give none.
    BREAKS_TIES = "breaks_ties"
    #: Returns positions of numbers along an axis: those of equal numbers are as good.
    PICKS_POSITIONS = "picks_positions"
    #: Returns no position twice.
    DISTINCT_POSITIONS = "distinct_positions"
    #: Orders what it finds: an exported file may order equal scores in another way.
    ORDERS = "orders"
    #: Keeps boxes by their scores (roles SCORES, LEAST_SCORE): which of equal ones is open.
    SCORED = "scored"
    #: Keeps boxes by class (roles BOXES, SCORES, OVERLAP, LEAST_SCORE): probes meet its thresholds.
    SCORED_BY_CLASS = "scored_by_class"
    #: Holds floats equal that differ by a few roundings of float64.
    NEARLY_EQUAL = "nearly_equal"

    # --- precision ---------------------------------------------------------------------------

    #: The source's kernel holds settings, slopes, boxes or angles in float32 whatever the dtype.
    FLOAT32_INSIDE = "float32_inside"
    #: It places samples between elements, with positions in float32, whose error grows with size.
    FLOAT32_POSITIONS = "float32_positions"
    #: It computes complex numbers in single precision.
    FLOAT32_COMPLEX = "float32_complex"

    # --- training ----------------------------------------------------------------------------

    #: A batch norm: it trains on the statistics of the batch, which the stored ones follow.
    BATCH_NORM = "batch_norm"
    #: Drops elements at random while training: training cannot be compared.
    DROPOUT = "dropout"
    #: Passes its operand through changed at random while training: likewise.
    NOISE = "noise"
    #: A recurrent layer.
    RECURRENT = "recurrent"
    #: A convolution: a diagnosis tries the operator's own settings.
    CONVOLUTION = "convolution"
    #: Its results are probabilities: a loss is to be taken on what is before it.
    PROBABILITIES = "probabilities"
    #: Its gradient is not the derivative, on purpose.
    NOT_A_DERIVATIVE = "not_a_derivative"
    #: Quantises and takes it back: gradients go straight through.
    SIMULATED_QUANTISATION = "simulated_quantisation"

    # --- order and control -------------------------------------------------------------------

    #: Runs one of two blocks.
    BRANCH = "branch"
    #: Runs a block while a condition holds.
    LOOP = "loop"
    #: Changes a tensor array: it stays when nothing reads its result.
    CHANGES_ARRAYS = "changes_arrays"
    #: Writes into its first operand, in the saved program: that value's gradient is not asked for.
    IN_PLACE = "in_place"


class Role(StrEnum):
    """What an operand or a setting is to the checks; a rule says which name has it."""

    TABLE = "table"
    IDS = "ids"
    BOXES = "boxes"
    SCORES = "scores"
    #: Boxes that overlap by more are one.
    OVERLAP = "overlap"
    #: Boxes with smaller scores do not count.
    LEAST_SCORE = "least_score"
