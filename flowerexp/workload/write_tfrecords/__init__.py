"""How fast do photographs become TFRecord files?"""
