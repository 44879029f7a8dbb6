"""The making of the bundled bilingual model: table, vocabulary, teacher's vectors, distillation, export, evaluation."""
