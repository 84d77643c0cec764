// Counts of classes, and a class's weight at each of its voxels (arithmetic 14.4).

LANES_INLINE int is_ignored(const class_labels *l, int64_t label) {
    return l->has_ignore_index && label == l->ignore_index;
}

LANES_INLINE int64_t counts_of_labels(const class_labels *l, closs_target target, const void *labels, int64_t voxels,
                                      int64_t *counts) {
    for (int64_t i = 0; i < voxels; i++) {
        int64_t label = label_at(target, labels, i);
        if (is_ignored(l, label)) continue;
        if (label < 0 || label >= l->class_count) return i;
        counts[label]++;
    }
    return -1;
}

// Bytes are counted whatever they are, and four at a time: equal neighbors do not wait for each other.
static int64_t counts_of_bytes(const class_labels *l, const uint8_t *labels, int64_t voxels, int64_t *counts) {
    enum { TABLES = 4, VALUES = 256, MOST = 1 << 30 };
    for (int64_t first = 0; first < voxels; first += MOST) {
        const int64_t count = voxels - first < MOST ? voxels - first : MOST;
        uint32_t tables[TABLES][VALUES] = {{0}};
        const uint8_t *here = labels + first;
        int64_t i = 0;
        for (; i + TABLES <= count; i += TABLES)
            for (int k = 0; k < TABLES; k++) tables[k][here[i + k]]++;
        for (; i < count; i++) tables[0][here[i]]++;
        for (int value = 0; value < VALUES; value++) {
            int64_t sum = 0;
            for (int k = 0; k < TABLES; k++) sum += tables[k][value];
            if (sum == 0 || is_ignored(l, value)) continue;
            // Which was the first is found by looking again.
            if (value >= l->class_count) return counts_of_labels(l, CLOSS_LABELS_U8, labels, voxels, counts);
            counts[value] += sum;
        }
    }
    return -1;
}

static int64_t class_counts(const class_labels *l, const void *labels, int64_t voxels, int64_t *counts) {
    switch (l->target) {
    case CLOSS_LABELS_U8: return counts_of_bytes(l, labels, voxels, counts);
    case CLOSS_LABELS_U16: return counts_of_labels(l, CLOSS_LABELS_U16, labels, voxels, counts);
    case CLOSS_LABELS_I32: return counts_of_labels(l, CLOSS_LABELS_I32, labels, voxels, counts);
    default: return counts_of_labels(l, CLOSS_LABELS_I64, labels, voxels, counts);
    }
}

LANES_INLINE void map_of_labels(const class_labels *l, closs_target target, const void *labels, int64_t voxels,
                                const float *weights, float *map) {
    for (int64_t i = 0; i < voxels; i++) {
        int64_t label = label_at(target, labels, i);
        map[i] = is_ignored(l, label) ? 0 : weights[label];
    }
}

static void map_of_bytes(const class_labels *l, const uint8_t *labels, int64_t voxels, const float *weights,
                         float *map) {
    float of_value[256] = {0};
    for (int value = 0; value < 256 && value < l->class_count; value++)
        of_value[value] = is_ignored(l, value) ? 0 : weights[value];
    for (int64_t i = 0; i < voxels; i++) map[i] = of_value[labels[i]];
}

static void class_map(const class_labels *l, const void *labels, int64_t voxels, const float *weights, float *map) {
    switch (l->target) {
    case CLOSS_LABELS_U8: map_of_bytes(l, labels, voxels, weights, map); break;
    case CLOSS_LABELS_U16: map_of_labels(l, CLOSS_LABELS_U16, labels, voxels, weights, map); break;
    case CLOSS_LABELS_I32: map_of_labels(l, CLOSS_LABELS_I32, labels, voxels, weights, map); break;
    default: map_of_labels(l, CLOSS_LABELS_I64, labels, voxels, weights, map);
    }
}
