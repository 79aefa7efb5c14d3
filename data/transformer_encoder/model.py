"""A small text classifier: embeddings, a transformer encoder with padding mask, [CLS] pooling."""

from __future__ import annotations

import paddle
from paddle import nn

PAD = 0


class TextEmbeddings(nn.Layer):
    """Token and position embeddings, summed and normalised."""

    def __init__(self, vocabulary: int, width: int, longest: int, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width, padding_idx=PAD)
        self.position_embeddings = nn.Embedding(longest, width)
        self.layer_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: paddle.Tensor) -> paddle.Tensor:
        """[N, L] token ids to [N, L, width]."""
        positions = paddle.arange(paddle.shape(ids)[1], dtype="int64")
        x = self.word_embeddings(ids) + self.position_embeddings(positions)
        return self.dropout(self.layer_norm(x))


class MultiHeadSelfAttention(nn.Layer):
    """Scaled dot-product self-attention with an additive mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def split_heads(self, x: paddle.Tensor) -> paddle.Tensor:
        """[N, L, width] to [N, heads, L, head_width]."""
        return x.reshape([0, 0, self.heads, self.head_width]).transpose([0, 2, 1, 3])

    def forward(self, x: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
        """Attend within each sequence; the mask [N, 1, 1, L] is added to the scores."""
        query = self.split_heads(self.q_proj(x)) * self.head_width**-0.5
        key, value = self.split_heads(self.k_proj(x)), self.split_heads(self.v_proj(x))
        weights = nn.functional.softmax(paddle.matmul(query, key, transpose_y=True) + mask)
        mixed = paddle.matmul(weights, value).transpose([0, 2, 1, 3])
        return self.out_proj(mixed.reshape([0, 0, self.heads * self.head_width]))


class TransformerEncoderLayer(nn.Layer):
    """Self-attention and a GELU feed-forward net, each with a residual, norms after them."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiHeadSelfAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
        """[N, L, width] to the same shape."""
        x = self.norm1(x + self.dropout(self.self_attn(x, mask)))
        y = self.linear2(nn.functional.gelu(self.linear1(x)))
        return self.norm2(x + self.dropout(y))


class TextClassifier(nn.Layer):
    """Classifies token sequences that begin with [CLS] and are padded with id 0."""

    def __init__(
        self,
        vocabulary: int,
        classes: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 3,
        longest: int = 64,
    ) -> None:
        super().__init__()
        self.embeddings = TextEmbeddings(vocabulary, width, longest, dropout=0.1)
        self.layers = nn.LayerList(
            [TransformerEncoderLayer(width, heads, 2 * width, 0.1) for _ in range(layers)]
        )
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, ids: paddle.Tensor) -> paddle.Tensor:
        """Logits [N, classes] of token ids [N, L]."""
        mask = paddle.unsqueeze((ids == PAD).astype("float32") * -1e4, [1, 2])
        x = self.embeddings(ids)
        for layer in self.layers:
            x = layer(x, mask)
        return self.classifier(nn.functional.tanh(self.pooler(x[:, 0])))
