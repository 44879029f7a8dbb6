"""How the bundled bilingual model is made: pairs → table → teacher's vectors → vocabulary → student → export → evaluation."""
