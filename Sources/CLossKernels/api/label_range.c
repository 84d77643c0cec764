#include "api/label_range.h"

#include <stdio.h>

typedef struct label_range {
    int64_t least, most;
} label_range;

static label_range range_of(closs_target type) {
    switch (type) {
    case CLOSS_LABELS_I64: return (label_range){INT64_MIN, INT64_MAX};
    case CLOSS_LABELS_I32: return (label_range){INT32_MIN, INT32_MAX};
    case CLOSS_LABELS_U16: return (label_range){0, UINT16_MAX};
    default: return (label_range){0, UINT8_MAX};
    }
}

static closs_status refuse_label(label_range range, const char *of, const char *name, int64_t index, int64_t label,
                                 closs_error *error) {
    return refuse(error, CLOSS_BAD_OPTION, index, "%s is %lld: %s of this type are %lld .. %lld", name,
                  (long long)label, of, (long long)range.least, (long long)range.most);
}

static int is_within(label_range range, int64_t label) { return label >= range.least && label <= range.most; }

closs_status check_classes_exist(closs_target type, const char *of, const int64_t *classes, int count,
                                 closs_error *error) {
    const label_range range = range_of(type);
    if (!classes) {
        if (is_within(range, count - 1)) return CLOSS_OK;
        return refuse_label(range, of, "class_count", -1, count, error);
    }
    for (int k = 0; k < count; k++) {
        if (is_within(range, classes[k])) continue;
        char name[32];
        snprintf(name, sizeof name, "classes[%d]", k);
        return refuse_label(range, of, name, k, classes[k], error);
    }
    return CLOSS_OK;
}

closs_status check_label_exists(closs_target type, const char *of, const char *name, int64_t label,
                                closs_error *error) {
    const label_range range = range_of(type);
    return is_within(range, label) ? CLOSS_OK : refuse_label(range, of, name, -1, label, error);
}
